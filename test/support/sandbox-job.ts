/**
 * One sandbox job in a process of its own, which may be killed or be another account's: bundled to one file. Arguments:
 * its folder, a network, a shell script. Prints what the job prints, then the job's end or error and what doctor finds.
 */
import { Sandboxed } from './sandboxed.js';

const [base = '', network = '', script = ''] = process.argv.slice(2);
const box = Sandboxed.at(base);
const kind = network === 'filtered' ? ({ kind: 'filtered', deny: [] } as const) : ({ kind: 'off' } as const);
try {
  const output = (_stream: string, bytes: Uint8Array): void => void process.stdout.write(bytes);
  const end = await box.run(script, { network: kind, output });
  console.log(JSON.stringify({ end, findings: script === '' ? await box.sandbox.doctor() : [] }));
} catch (err) {
  console.log(JSON.stringify({ err, message: String(err) }));
}

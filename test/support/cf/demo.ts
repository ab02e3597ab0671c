/** `npm run demo` as a process of its own: the talk, whatever it is told to. */
import { expect } from '@jest/globals';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../unik.js';

/** All that is typed, and all that is looked at between. */
const STEPS = [
  /^cf api http:/,
  /^cf login -u /,
  /^cf install-plugin /,
  /^cf push hello --no-start -p samples\/hello$/,
  /^cf enable-unik hello$/,
  /^cf start hello$/,
  /^curl http:/,
  /^cf scale hello -i 3$/,
  /^three machines answer$/,
  /^cf unik-apps$/,
  /^cf logs hello --recent$/,
  /^bin\/unik rm /,
  /^cf app hello: it goes$/,
  /^cf app hello: another comes$/,
  /^three machines answer, the dead one not among them$/,
  /^the two others answered throughout$/,
  /^cf delete -r -f hello$/,
  /^nothing is left of it$/,
];

/** `cf`: the CLI. Throws with all it said when the talk fails. */
export async function expectTalk(cf: string, args: readonly string[] = []): Promise<void> {
  const child = spawn(process.execPath, [join(root, 'scripts/demo.mjs'), '--cf', cf, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stdout.on('data', (data: Buffer) => (said += data.toString()));
  child.stderr.on('data', (data: Buffer) => (said += data.toString()));
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(said);
  const result = JSON.parse(said.trimEnd().split('\n').at(-1) ?? '') as { steps: { typed: string; ms: number }[] };
  expect(result).toMatchObject({ ok: true, cli: { name: 'cf', version: expect.stringMatching(/^\d+\.\d+/) } });
  expect(result).toMatchObject({ first_run_s: expect.any(Number), lines_typed: 8 });
  expect(result.steps.map(({ typed }) => typed)).toEqual(STEPS.map((step) => expect.stringMatching(step)));
}

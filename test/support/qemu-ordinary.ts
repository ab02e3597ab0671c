/**
 * Run by the ordinary-user test as that user, bundled to one file: boots machines and prints what it saw, as JSON.
 * Arguments: home, a file with the specs `web`, `deaf` and `big`, a TCP port that is open on every host address.
 */
import { readFile } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { MachineHandle } from '../../executor/model.js';
import type { MachineSpec } from '../../executor/providers/provider.js';
import { FILES } from '../../executor/providers/qemu/args.js';
import { Qmp } from '../../executor/providers/qemu/qmp.js';
import { lastingAddresses } from './host-addresses.js';
import { leftovers } from './qemu-leftovers.js';
import { makeProvider } from './qemu-provider.js';

const never = new AbortController().signal;
const [home = '', file = '', hostPort = ''] = process.argv.slice(2);
const specs = JSON.parse(await readFile(file, 'utf8')) as Record<'web' | 'deaf' | 'big', MachineSpec>;
const provider = makeProvider(home);
const { mode } = await provider.chooseNetwork();
const start = (spec: MachineSpec): Promise<MachineHandle> =>
  provider.start({ ...spec, network: { ...spec.network, mode } }, never);
const reaches = (handle: MachineHandle): Promise<boolean> => provider.reaches(handle, 8080, 1_000, never);

/** On stderr, which a failure shows: where it stood when its time was up. */
const step = (what: string): void => void process.stderr.write(`${(performance.now() / 1000).toFixed(1)} s: ${what}\n`);

step(`network ${mode}`);
const [web, deaf, big] = await Promise.all([start(specs.web), start(specs.deaf), start(specs.big)]);
try {
  step('started');
  const exit = await provider.exits(big, never);
  let printed = '';
  for await (const { stream, bytes } of provider.console(big, {}, never)) {
    if (stream === 'stdout') printed += Buffer.from(bytes).toString();
  }
  step('big has ended');
  while (!(await reaches(web))) await delay(50);
  step('web is reached');
  const whileDeaf = await reaches(deaf);
  const page = await ask(web, '/');
  step('web has answered');
  // The guest tries one after another, 2 s each.
  const host = await Promise.all(lastingAddresses(home).map((address) => ask(web, `/tcp/${address}/${hostPort}`)));
  const alias = await ask(web, `/tcp/10.0.2.2/${hostPort}`);
  step('doors tried');
  await tell('stop');
  const whileStopped = await reaches(web);
  await tell('cont');
  step('web stood still');
  await provider.stop(web, 30_000);
  const stopped = await provider.exits(web, never);
  step('web has ended');
  for (const handle of [web, deaf, big]) await provider.destroy(handle);
  const doors = [...host, alias];
  console.log(
    JSON.stringify({ mode, exit, printed, page, whileDeaf, whileStopped, doors, stopped, left: await leftovers(home) }),
  );
} finally {
  for (const handle of [web, deaf, big]) await provider.destroy(handle);
  provider.close();
}

/** One command in a conversation of its own: QEMU has one at a time, and `reaches` needs it. */
async function tell(command: string): Promise<void> {
  const qmp = await Qmp.connect(join(home, 'machines/web/vm'), FILES.commands);
  await qmp.execute(command);
  qmp.close();
}

function ask(handle: MachineHandle, path: string): Promise<string> {
  const door = provider.endpoint(handle, 8080);
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(60_000);
    get({ ...door, path, agent: false, signal }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => resolve(Buffer.concat(parts).toString()));
    }).on('error', reject);
  });
}

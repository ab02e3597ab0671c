/** A platform that does not come up ends the cells that it started, and leaves those that it found. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { isAlive, kill, type ProcessIdentity } from '../../../core/process.js';
import { configSchema } from '../../../localcf/config.js';
import { startLocalCf, type LocalCf } from '../../../localcf/localcf.js';
import { freePorts } from '../../support/diego/children.js';

/** Holds its home, answers at its admin door, and ends when it is asked to leave. */
const CELL = `
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
const config = JSON.parse(readFileSync(process.argv.at(-1), 'utf8'));
const start_ticks = readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ')[19];
const [host, port] = config.admin_addr.split(':');
const tls = { key: readFileSync(config.tls.key_file), cert: readFileSync(config.tls.cert_file) };
createServer(tls, (request, reply) => {
  reply.end('{}');
  if (request.url === '/evacuate') reply.on('close', () => process.exit(0));
}).listen(Number(port), host, () => {
  mkdirSync(config.home, { recursive: true });
  writeFileSync(config.home + '/daemon.lock', JSON.stringify({ pid: process.pid, start_ticks }));
});
`;

let home: string;
let ports: number[];
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'unik-cells-'));
  ports = await freePorts(2);
  await writeFile(join(home, 'cell.mjs'), CELL);
  await writeFile(join(home, 'unik_buildpack-v0.zip'), 'a buildpack');
});
afterEach(async () => {
  for (const name of ['cell-0', 'cell-1']) {
    const found = await cell(name);
    if (found) await kill(found, 'SIGKILL');
  }
  await rm(home, { recursive: true, force: true });
});

const start = (cells: number): Promise<LocalCf> =>
  startLocalCf({
    ...{ home: join(home, 'cf'), command: [join(home, 'cell.mjs')], env: {}, clock: systemClock, log: noLog },
    // Its share of memory would be another beside others, and a cell whose configuration changes is started again.
    config: configSchema.parse({
      ...{ cells, cell: { memory_mb: 512 }, api: { port: ports[0] }, router: { port: ports[1] } },
    }),
    // Read after the cells were started.
    shipped: { lifecycle: join(home, 'lifecycle.tgz'), buildpack: join(home, 'unik_buildpack-v0.zip') },
  });

/** Undefined: it does not run. */
async function cell(name: string): Promise<ProcessIdentity | undefined> {
  const lock = join(home, 'cf/cells', name, 'home/daemon.lock');
  const text = await readFile(lock, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const who = JSON.parse(text) as ProcessIdentity;
  return (await isAlive(who)) ? who : undefined;
}

test('what fails late ends its cells', async () => {
  await expect(start(2)).rejects.toThrow('lifecycle.tgz');
  // They were there.
  expect(await readFile(join(home, 'cf/cells/cell-1/home/daemon.lock'), 'utf8')).toContain('pid');
  expect([await cell('cell-0'), await cell('cell-1')]).toEqual([undefined, undefined]);
}, 60_000);

test('one cell that cannot start ends the other', async () => {
  // Its folder is a file.
  await mkdir(join(home, 'cf/cells'), { recursive: true });
  await writeFile(join(home, 'cf/cells/cell-1'), '');
  await expect(start(2)).rejects.toThrow();
  expect(await cell('cell-0')).toBeUndefined();
}, 60_000);

test('a cell of before stays', async () => {
  await writeFile(join(home, 'lifecycle.tgz'), 'a lifecycle');
  const up = await start(1);
  const before = await cell('cell-0');
  expect(before).toBeDefined();
  await up.close();
  await rm(join(home, 'lifecycle.tgz'));
  await expect(start(2)).rejects.toThrow('lifecycle.tgz');
  expect(await cell('cell-0')).toEqual(before);
  expect(await cell('cell-1')).toBeUndefined();
}, 60_000);

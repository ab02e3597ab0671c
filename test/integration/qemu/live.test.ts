import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { identify } from '../../../core/process.js';
import { aMachineRecord } from '../../support/machine-record.js';
import { LiveMachine } from '../../../executor/providers/qemu/live.js';
import { MachineFolder } from '../../../executor/providers/qemu/record.js';

/** A machine without QEMU: a process that sleeps, a config port that we serve, a control log that we write. */
describe('a machine looked after', () => {
  let folder: MachineFolder;
  let child: ChildProcess;
  let port: Server;
  const got: string[] = [];
  const peers: Socket[] = [];
  const machines: LiveMachine[] = [];
  const big = { schema: 1, env: { BIG: 'ü"\n='.repeat(50_000) } };

  beforeEach(async () => {
    folder = new MachineFolder(join(await mkdtemp(join(tmpdir(), 'unik-live-')), 'one'));
    await folder.make();
    for (const name of ['control.log', 'serial.log']) await writeFile(join(folder.vm, name), '');
    await writeFile(join(folder.path, 'qemu.log'), '');
    await writeFile(folder.config, JSON.stringify(big));
    child = spawn('sleep', ['60']);
    await once(child, 'spawn');
    got.length = 0;
    port = createServer((peer) => {
      peers.push(peer);
      const index = got.push('') - 1;
      peer.on('data', (bytes: Buffer) => (got[index] = (got[index] ?? '') + bytes.toString('latin1')));
      peer.on('error', () => undefined);
    }).listen(join(folder.vm, 'c'));
    await once(port, 'listening');
  });
  afterEach(async () => {
    for (const machine of machines.splice(0)) machine.forget();
    for (const peer of peers.splice(0)) peer.destroy();
    child.kill('SIGKILL');
    port.close();
    await rm(join(folder.path, '..'), { recursive: true, force: true });
  });

  const look = async (): Promise<LiveMachine> => {
    const qemu = await identify(child.pid ?? 0);
    if (!qemu) throw new Error('the child is gone');
    const machine = new LiveMachine({ ...aMachineRecord, qemu }, folder, systemClock, noLog);
    machines.push(machine);
    return machine;
  };
  const say = (event: object): Promise<void> =>
    appendFile(join(folder.vm, 'control.log'), `${JSON.stringify(event)}\n`);
  const configIsKept = (): Promise<boolean> =>
    access(folder.config).then(
      () => true,
      () => false,
    );
  const lastConfig = (index: number): unknown => {
    if (!got[index]?.endsWith('}\n')) return undefined;
    const lines = Buffer.from(got[index] ?? '', 'latin1')
      .toString('utf8')
      .split('\n');
    return lines[0] === '' && lines.length === 3 ? JSON.parse(lines[1] ?? '') : undefined;
  };

  test('gets its config whole, which is kept until the guest has taken it', async () => {
    await look();
    await eventually(() => lastConfig(0) !== undefined);
    expect(lastConfig(0)).toEqual(big);
    await say({ event: 'waiting' });
    expect(await configIsKept()).toBe(true);
    await say({ event: 'started', pid: 2 });
    await eventually(async () => !(await configIsKept()));
  });

  test('gets its config again after our restart, when the guest has not taken it', async () => {
    const first = await look();
    await eventually(() => (got[0] ?? '').length > 1000);
    first.forget();
    await look();
    await eventually(() => lastConfig(1) !== undefined);
    expect(lastConfig(1)).toEqual(big);
  });

  test('is not told twice', async () => {
    await say({ event: 'started', pid: 2 });
    await look();
    await eventually(async () => !(await configIsKept()));
    expect(got).toEqual([]);
  });

  test('is asked to stop, and cut off when it does not', async () => {
    await say({ event: 'started', pid: 2 });
    const machine = await look();
    const stopped = machine.stop(200);
    await eventually(() => (got[0] ?? '').includes('\n'));
    expect(JSON.parse(got[0] ?? '')).toEqual({ stop: { grace_ms: 200 } });
    await stopped;
    expect(child.signalCode).toBe('SIGKILL');
    expect(await machine.exit()).toMatchObject({ reason: 'killed' });
  });

  test('is cut off at once when nobody could hear the request', async () => {
    const machine = await look();
    await machine.stop(3_600_000);
    expect(child.signalCode).toBe('SIGKILL');
  });

  test('gets signals by number', async () => {
    await say({ event: 'started', pid: 2 });
    const machine = await look();
    await machine.signal(10);
    await eventually(() => (got[0] ?? '').includes('\n'));
    expect(JSON.parse(got[0] ?? '')).toEqual({ signal: 10 });
    expect(child.exitCode).toBeNull();
  });

  test('tells how the application ended', async () => {
    const machine = await look();
    await say({ event: 'started', pid: 2 });
    await say({ event: 'exit', code: 4 });
    child.kill('SIGKILL');
    expect(await machine.exit()).toMatchObject({ reason: 'exited', code: 4 });
  });
});

async function eventually(claim: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await claim())) {
    if (Date.now() > deadline) throw new Error('did not come true within 10 s');
    await systemClock.sleep(10);
  }
}

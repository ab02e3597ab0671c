/** What boards do that no cloud does: no power control, no serial line, hanging, hooks that fail. */
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { createLog } from '../../../core/log.js';
import type { MachineHandle } from '../../../executor/model.js';
import { armConfigSchema } from '../../../executor/providers/arm/config.js';
import { createArmProvider } from '../../../executor/providers/arm/index.js';
import type { RemoteProvider } from '../../../executor/remote/remote.js';
import { Boards, whyNoBoards, type ConsoleKind } from '../../support/boards.js';
import { failure } from '../../support/failure.js';
import { makeBench, type Bench } from '../../support/qemu.js';
import { PACE, remoteSpec } from '../../support/remote.js';
import { until } from '../../support/unik.js';

jest.setTimeout(400_000);

const why = whyNoBoards();
if (why !== undefined) process.stderr.write(`skipped: boards: ${why}\n`);
const OWNER = 'boards/cell';
const never = (): AbortSignal => new AbortController().signal;

(why === undefined ? describe : describe.skip)('boards', () => {
  let bench: Bench;
  let boards: Boards;
  let home: string;
  let provider: RemoteProvider;

  beforeAll(async () => {
    bench = await makeBench('aarch64');
    boards = await Boards.open(2);
  });
  afterEach(async () => {
    boards.broken = false;
    for (const handle of await provider.list(OWNER)) await provider.destroy(handle);
    provider.close();
    for (const id of boards.on) await boards.powerOff(id);
    await rm(home, { recursive: true, force: true });
  });
  afterAll(async () => {
    await boards.close();
    await bench.close();
  });

  const use = async (kind: ConsoleKind, power: boolean, more: object = {}): Promise<void> => {
    home = await mkdtemp(join(bench.dir, 'home-'));
    const config = armConfigSchema.parse({ ...boards.settings({}, kind, power), ...more });
    provider = createArmProvider({ config, home, clock: systemClock, log: createLog('test', 'silent'), pace: PACE });
  };
  const spec = (kind: 'web' | 'exit3' | 'deaf', key: string) => remoteSpec(bench, kind, { key, owner: OWNER });
  const up = (handle: MachineHandle): Promise<true> =>
    until(
      'the app listens',
      async () => ((await provider.reaches(handle, 8080, 2_000, never())) ? true : undefined),
      120_000,
    );
  const output = async (handle: MachineHandle): Promise<string> => {
    let text = '';
    for await (const { stream, bytes } of provider.console(handle, {}, never()))
      if (stream !== 'kernel') text += `${stream}: ${Buffer.from(bytes).toString()}`;
    return text;
  };

  test('without power control and serial line: a board finds its work by itself, says it by UDP, and restarts for the next', async () => {
    await use('udp', false);
    await boards.powerOn('board-1');
    const first = await provider.start(spec('web', 'first'), never());
    expect(first.data['id']).toBe('board-1');
    await up(first);
    await provider.stop(first, 60_000);
    expect(await provider.exits(first, never())).toMatchObject({ reason: 'exited', code: 0 });
    expect(await output(first)).toBe('stdout: listening\nstdout: goodbye\n'.replace('\nstdout: ', '\n'));
    await provider.destroy(first);
    const second = await provider.start(spec('exit3', 'second'), never());
    expect(await provider.exits(second, never())).toMatchObject({ reason: 'exited', code: 3 });
    expect(boards.on).toEqual(['board-1']);
  });

  test('by a console server’s port the streams come apart', async () => {
    await use('tcp', true);
    const handle = await provider.start(spec('exit3', 'apart'), never());
    expect(await provider.exits(handle, never())).toMatchObject({ reason: 'exited', code: 3 });
    expect(await output(handle)).toContain('stderr: oops\n');
  });

  test('a board that hangs is lost, its power is cut, and it can be used again', async () => {
    await use('file', true, { load_timeout_s: 60 });
    const handle = await provider.start(spec('web', 'hangs'), never());
    await up(handle);
    const id = String(handle.data['id']);
    boards.hang(id);
    expect(await provider.exits(handle, never())).toMatchObject({ reason: 'killed' });
    expect(boards.on).toEqual([]);
    expect((await provider.probe(never())).findings.filter(({ name }) => name.includes(id))).toMatchObject([
      { status: 'warning' },
    ]);
  });

  test('a hook that refuses, and a board that asks for nothing, fail the start; the doctor names them, and nothing is left', async () => {
    await use('file', true, { load_timeout_s: 5 });
    boards.broken = true;
    expect(await failure(() => provider.start(spec('web', 'refused'), never()))).toMatchObject({
      code: 'machine_failed',
    });
    boards.broken = false;
    // Whose power could not be cut either is not forgotten.
    const [refused] = await provider.list(OWNER);
    expect(refused?.key).toBe('refused');
    if (refused) await provider.destroy(refused);
    const silent = await failure(() => provider.start(spec('web', 'silent'), AbortSignal.timeout(100_000)));
    expect(silent).toMatchObject({ code: 'machine_failed', message: expect.stringContaining('within 5 s') as unknown });
    expect([await provider.list(OWNER), boards.on]).toEqual([[], []]);
    const { findings, healthy } = await provider.probe(never());
    expect(healthy).toBe(true);
    expect(findings.filter(({ status, fix }) => status === 'warning' && fix !== undefined).length).toBeGreaterThan(0);
  });

  test('the doctor says what is missing', async () => {
    await use('file', true, { interface: 'nosuch0', dnsmasq: '/nowhere/dnsmasq' });
    const { healthy, findings } = await provider.probe(never());
    expect(healthy).toBe(false);
    expect(
      findings.filter(({ status }) => status === 'error').map(({ name, fix }) => [name, fix !== undefined]),
    ).toEqual([
      ['arm boot server', true],
      ['arm network', true],
    ]);
  });
});

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { ExecutorEvent } from '../../../executor/executor.js';
import { PHASES, type Instance, type InstanceSpec, type LogLine, type PortMapping } from '../../../executor/model.js';
import { aSpec, Bench, never, OWNER } from '../../support/executor.js';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open();
});
afterEach(() => bench.close());

const is =
  (phase: Instance['phase']) =>
  (instance: Instance): boolean =>
    instance.phase === phase;
const over = (instance: Instance): boolean => instance.phase === 'completed' && !instance.handle;

const published = (host_port = 0): PortMapping => ({
  host_address: '127.0.0.1',
  host_port,
  guest_port: 8080,
  protocol: 'tcp',
});
const port = { kind: 'port' as const, port: 8080, timeout_ms: 100 };

async function texts(logId: string, follow = false): Promise<string[]> {
  const said: string[] = [];
  const lines: AsyncIterable<LogLine> = bench.executor.logs(logId, { follow }, never());
  for await (const line of lines) if (line.stream !== 'kernel') said.push(line.text);
  return said;
}
const running = async (spec: Partial<InstanceSpec> = {}): Promise<Instance> => {
  const {
    spec: { key },
  } = await bench.executor.run(aSpec(spec));
  return bench.executor.until(key, is('running'), never());
};
const ended = async (spec: Partial<InstanceSpec> = {}): Promise<Instance> => {
  const {
    spec: { key },
  } = await bench.executor.run(aSpec(spec));
  return bench.executor.until(key, over, never());
};
const machines = async (owner = OWNER): Promise<string[]> =>
  (await bench.provider.list(owner)).map((handle) => handle.key);

/** Each chunk of console takes its time from now on. */
function slowConsole(): void {
  const { provider } = bench;
  const quick = provider.console.bind(provider);
  provider.console = async function* (...of) {
    for await (const chunk of quick(...of)) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      yield chunk;
    }
  };
}

describe('an instance', () => {
  test('goes through its life, says so, and leaves nothing when removed', async () => {
    const { executor } = bench;
    const events: ExecutorEvent['type'][] = [];
    executor.subscribe(({ type, instance }) => {
      events.push(type);
      if (PHASES.some((phase) => phase === type)) expect(instance.phase).toBe(type);
    });
    const { spec, ...instance } = await running();
    expect(instance).toMatchObject({ ready: true, kernel: 'linux-1-aaaaaaaaaaaa' });
    const record = join(bench.home, 'instances', `${spec.key}.json`);
    expect((await stat(record)).mode & 0o777).toBe(0o600);
    const done = await executor.stop(spec.key);
    expect(done).toMatchObject({ phase: 'completed', exit: { reason: 'stopped', code: 0 } });
    expect(done.handle).toBeUndefined();
    expect(await texts(spec.log_id)).toEqual(['goodbye']);
    await Promise.all([executor.remove(spec.key), executor.remove(spec.key)]);
    expect(events).toEqual(['reserved', 'initializing', 'created', 'running', 'ready', 'completed', 'removed']);
    expect(executor.list()).toEqual([]);
    expect(await readdir(join(bench.home, 'instances'))).toEqual([]);
    expect(await machines()).toEqual([]);
    await executor.removeLogs(spec.log_id);
    expect(await readdir(join(bench.home, 'logs'))).toEqual([]);
  });

  test('keeps its exit and all it said, to the last word', async () => {
    const env = { FAKE_STDOUT: 'one\ntwo', FAKE_STDERR: 'oops\n', FAKE_EXIT_AFTER_MS: '20', FAKE_EXIT_CODE: '3' };
    const { spec, exit } = await ended({ env });
    expect(exit).toMatchObject({ reason: 'exited', code: 3 });
    expect((await texts(spec.log_id, true)).sort()).toEqual(['one', 'oops', 'two']);
  });

  test('keeps its last words also when its console is slow to come', async () => {
    slowConsole();
    const { spec } = await running({ env: { FAKE_STDOUT: 'one\n' } });
    await bench.executor.stop(spec.key);
    expect(await texts(spec.log_id)).toEqual(['one', 'goodbye']);
  });

  test('that cannot be started says why and leaves no machine', async () => {
    const { exit } = await ended({ env: { FAKE_FAIL_START: 'no such luck' } });
    expect(exit).toMatchObject({ reason: 'boot_failed', error: 'machine_failed', message: 'no such luck' });
    expect(await machines()).toEqual([]);
  });

  test('stopped while it is being started leaves no machine', async () => {
    const { spec } = await bench.executor.run(aSpec({ env: { FAKE_START_DELAY_MS: '60000' } }));
    expect(await bench.executor.stop(spec.key)).toMatchObject({ exit: { reason: 'stopped' } });
    expect(await machines()).toEqual([]);
  });

  test('that ignores SIGTERM is powered off; killed by hand it is a crash', async () => {
    const deaf = await running({ env: { FAKE_IGNORES_TERM: '1' } });
    expect(await bench.executor.stop(deaf.spec.key, 50)).toMatchObject({ exit: { reason: 'stopped', code: 137 } });
    const other = await running();
    await bench.executor.kill(other.spec.key, 'SIGKILL');
    expect(await bench.executor.until(other.spec.key, over, never())).toMatchObject({ exit: { reason: 'killed' } });
  });

  test('that never listens fails its startup', async () => {
    const health = { startup: port, start_timeout_ms: 50, startup_interval_ms: 10 };
    const { exit } = await ended({ ports: [published()], env: { FAKE_DEAF: '1' }, health });
    expect(exit).toMatchObject({ reason: 'start_timeout' });
    expect(exit?.message).toContain('not up within 50 ms: nothing took a connection on port 8080');
  });

  test("its machine's boot is not part of the time it has to come up", async () => {
    let begin = (): void => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    bench.provider.begun = () => begun;
    const health = { startup: port, start_timeout_ms: 50, startup_interval_ms: 10 };
    const deaf = { ports: [published()], env: { FAKE_DEAF: '1' } };
    const { spec } = await bench.executor.run(aSpec({ ...deaf, health }));
    await bench.executor.until(spec.key, is('created'), never());
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(bench.executor.get(spec.key)).toMatchObject({ phase: 'created' });
    expect(bench.executor.get(spec.key)).not.toHaveProperty('ending');
    begin();
    const { exit } = await bench.executor.until(spec.key, over, never());
    expect(exit).toMatchObject({ reason: 'start_timeout' });
  });

  test('a monitor in the machine decides: nothing said yet is no success', async () => {
    const said: (boolean | undefined)[] = [undefined, undefined, true];
    bench.provider.monitorPasses = async () => (said.length > 1 ? said.shift() : said[0]);
    const startup = { kind: 'guest' } as const;
    const liveness = { check: startup, interval_ms: 10, failures: 1 };
    const health = { startup, start_timeout_ms: 0, startup_interval_ms: 10, liveness };
    const { spec } = await running({ health });
    said.push(false);
    const { exit } = await bench.executor.until(spec.key, over, never());
    expect(exit).toMatchObject({ reason: 'unhealthy', check: { failure: { check: startup, why: 'failed' } } });
  });

  test('what failed at its start is told of every check', async () => {
    const health = {
      startup: port,
      startup_also: [{ ...port, port: 9090 }],
      start_timeout_ms: 20,
      startup_interval_ms: 10,
    };
    const { exit } = await ended({ ports: [published()], env: { FAKE_DEAF: '1' }, health });
    expect(exit?.check?.failure).toMatchObject({ check: { port: 8080 }, also: [{ check: { port: 9090 } }] });
  });

  test('is ready when its readiness check passes, and ended when its liveness check fails', async () => {
    const startup = { kind: 'process' as const };
    const readiness = { check: port, interval_ms: 10, failures: 1 };
    const health = { startup, start_timeout_ms: 0, startup_interval_ms: 10, readiness };
    const slow = await running({ ports: [published()], env: { FAKE_BOOT_DELAY_MS: '60' }, health });
    expect(slow.ready).toBe(false);
    await bench.executor.until(slow.spec.key, (instance) => instance.ready, never());

    const liveness = { check: { ...port, port: 9 }, interval_ms: 10, failures: 2 };
    const { exit } = await ended({ ports: [published()], health: { ...health, liveness } });
    expect(exit).toMatchObject({ reason: 'unhealthy' });
  });
});

describe('run refuses', () => {
  test.each<[string, Partial<InstanceSpec>, string]>([
    ['an image that is not there', { image: 'none' }, 'image_missing'],
    ['a provider that is not there', { provider: 'qemu' }, 'provider_unknown'],
    ['another owner', { owner: 'other' }, 'bad_request'],
    ['a key that is no file name', { key: '../x' }, 'bad_request'],
    ['an unknown process type', { process_type: 'cron' }, 'bad_request'],
    ['too much memory', { limits: { memory_mb: 4090, disk_mb: 1, cpus: 1 } }, 'insufficient_memory'],
    ['too many processors', { limits: { memory_mb: 64, disk_mb: 1, cpus: 5 } }, 'bad_request'],
  ])('%s, and keeps nothing of it', async (_why, spec, code) => {
    await expect(bench.executor.run(aSpec(spec))).rejects.toMatchObject({ code });
    expect(bench.executor.list()).toEqual([]);
    expect(await readdir(join(bench.home, 'instances'))).toEqual([]);
    expect(bench.executor.capacity().machines.available).toBe(50);
  });

  test('a key in use and a port in use, naming who has it', async () => {
    const { spec, handle } = await running({ ports: [published()], name: 'first' });
    await expect(bench.executor.run(spec)).rejects.toMatchObject({ code: 'conflict' });
    const ports = [published(handle?.ports[0]?.host_port)];
    await expect(bench.executor.run(aSpec({ ports }))).rejects.toThrow(/port 127.0.0.1:\d+ is taken by first/);
    const stranger = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => stranger.once('listening', resolve));
    const theirs = [published((stranger.address() as AddressInfo).port)];
    const refused = await bench.executor.run(aSpec({ ports: theirs })).catch((err: unknown) => err);
    stranger.close();
    expect(refused).toMatchObject({ code: 'port_taken' });
    expect(bench.executor.list()).toHaveLength(1);
  });

  test('nothing when a machine that has just ended frees its port and memory', async () => {
    const first = await running({ ports: [published()], limits: { memory_mb: 3000, disk_mb: 1, cpus: 1 } });
    const ports = [published(first.handle?.ports[0]?.host_port)];
    const spec = aSpec({ ports, limits: { memory_mb: 3000, disk_mb: 1, cpus: 1 } });
    const restarted = new Promise<Instance>((resolve, reject) => {
      bench.executor.subscribe((event) => {
        if (event.type === 'completed') bench.executor.run(spec).then(resolve, reject);
      });
    });
    await bench.executor.kill(first.spec.key, 'SIGKILL');
    expect((await restarted).spec.key).toBe(spec.key);
    await bench.executor.until(spec.key, is('running'), never());
  });
});

test('capacity is what is left for one more application', async () => {
  await running();
  expect(bench.executor.capacity()).toEqual({
    memory_mb: { total: 4096, available: 4096 - (64 + 2 + 72) - (2 + 72) },
    disk_mb: { total: 4096, available: 4086 },
    machines: { total: 50, available: 49 },
    overhead_mb: 2 + 72,
  });
});

test('an instance that is removed is told to those who wait for it', async () => {
  const { spec } = await running();
  const waiting = bench.executor.until(spec.key, () => false, never());
  await Promise.all([expect(waiting).rejects.toMatchObject({ code: 'not_found' }), bench.executor.remove(spec.key)]);
  await expect(bench.executor.stop(spec.key)).rejects.toMatchObject({ code: 'not_found' });
});

describe('after our restart', () => {
  test('close leaves machines running; they are taken back with their logs, and stopped', async () => {
    const env = { FAKE_LINES: '-1', FAKE_LINES_PER_S: '200' };
    const { spec, handle } = await running({ env, ports: [published()] });
    await bench.executor.close();
    await bench.restart();
    expect(bench.executor.get(spec.key)).toMatchObject({ phase: 'running', handle });
    const following = texts(spec.log_id, true);
    await bench.executor.stop(spec.key);
    const said = await following;
    expect(said.pop()).toBe('goodbye');
    expect(said.length).toBeGreaterThan(1);
    expect(said).toEqual(said.map((_, n) => `line ${n + 1}`));
  });

  test('a machine that ended meanwhile is completed with its exit and its last words', async () => {
    const { spec } = await running({ env: { FAKE_EXIT_AFTER_MS: '150', FAKE_EXIT_CODE: '4', FAKE_STDOUT: 'last\n' } });
    await bench.executor.close();
    await new Promise((resolve) => setTimeout(resolve, 200));
    await bench.restart();
    expect(await bench.executor.until(spec.key, over, never())).toMatchObject({ exit: { reason: 'exited', code: 4 } });
    expect(await texts(spec.log_id)).toEqual(['last']);
  });

  test('what was over stays so, and who follows its log comes to an end', async () => {
    const { spec, exit } = await ended({ env: { FAKE_EXIT_AFTER_MS: '1', FAKE_STDOUT: 'said\n' } });
    await bench.executor.close();
    await bench.restart();
    expect(bench.executor.get(spec.key)).toMatchObject({ phase: 'completed', exit });
    expect(await texts(spec.log_id, true)).toEqual(['said']);
  });

  test('a machine that had ended, but not yet said all, says the rest', async () => {
    slowConsole();
    const { spec } = await running({ env: { FAKE_STDOUT: 'one\n' } });
    const completed = bench.executor.until(spec.key, is('completed'), never());
    await bench.executor.kill(spec.key, 'SIGTERM');
    await completed;
    await bench.executor.close();
    await bench.restart();
    await bench.executor.until(spec.key, over, never());
    expect(await texts(spec.log_id)).toEqual(['one', 'goodbye']);
  });

  test('one that is gone is completed as killed', async () => {
    const { spec, handle } = await running();
    await bench.executor.close();
    if (handle) await bench.provider.destroy(handle);
    await bench.restart();
    expect(bench.executor.get(spec.key)).toMatchObject({ phase: 'completed', exit: { reason: 'killed' } });
  });

  test('a boot that was cut short is done again, once', async () => {
    const { spec } = await bench.executor.run(aSpec({ env: { FAKE_START_DELAY_MS: '100' } }));
    await bench.executor.close();
    expect(await machines()).toEqual([]);
    await bench.restart();
    await bench.executor.until(spec.key, is('running'), never());
    expect(await machines()).toEqual([spec.key]);
  });

  test.each([
    ['adopted', false, 'running'],
    ['ended, if it was to stop', true, 'completed'],
  ] as const)('a machine whose handle was not yet on record is %s', async (_what, stop_requested, phase) => {
    const { spec } = await running();
    await bench.executor.close();
    const path = join(bench.home, 'instances', `${spec.key}.json`);
    const { handle: _lost, ...record } = JSON.parse(await readFile(path, 'utf8')) as Instance;
    await writeFile(path, JSON.stringify({ ...record, phase: 'initializing', stop_requested }));
    await bench.restart();
    await bench.executor.until(spec.key, phase === 'running' ? is('running') : over, never());
    expect(await machines()).toEqual(phase === 'running' ? [spec.key] : []);
  });

  test('a broken record is set aside, and gc destroys the stray but no machine of others', async () => {
    const { spec, handle } = await running();
    const kept = await running();
    const theirs = { ...spec, owner: 'other/cell', key: 'theirs' };
    await bench.executor.close();
    const limits = spec.limits;
    const boot = {
      guest: 'linux',
      arch: 'x86_64',
      kernel: '',
      cmdline: '',
      disks: [],
      channels: { kind: 'serial' },
    } as const;
    const config = { schema: 1, argv: ['x'], cwd: '/', env: {}, hostname: 'h', mounts: [], files: {} } as const;
    await bench.provider.start(
      { ...theirs, limits, ram_mb: 1, boot: { ...boot, disks: [] }, config: { ...config, argv: [], mounts: [] } },
      never(),
    );
    await writeFile(join(bench.home, 'instances', `${spec.key}.json`), '{"schema":');
    await bench.restart();
    expect(bench.executor.list().map((instance) => instance.spec.key)).toEqual([kept.spec.key]);
    expect(await readdir(join(bench.home, 'instances'))).toContain(`${spec.key}.json.broken`);
    expect(await bench.executor.gc(OWNER)).toEqual([handle?.key]);
    expect(await machines()).toEqual([kept.spec.key]);
    expect(await machines('other/cell')).toEqual(['theirs']);
    expect(await bench.executor.gc('other/cell')).toEqual(['theirs']);
  });
});

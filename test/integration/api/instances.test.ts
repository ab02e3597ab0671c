import { afterEach, describe, expect, test } from '@jest/globals';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { appLogs } from '../../../backend/api/instances/logs.js';
import { Apps } from '../../../backend/api/instances/apps.js';
import { openAppRecords } from '../../../backend/api/instances/record.js';
import { instanceRequest, type InstanceRequest } from '../../../backend/api/schema/instances.js';
import { systemClock } from '../../../core/clock.js';
import { UnikError } from '../../../core/errors.js';
import { noLog } from '../../../core/log.js';
import { DEFAULTS, memoryParts, oneImage } from '../../support/api.js';
import type { MemoryExecutor } from '../../support/memory-executor.js';

const never = new AbortController().signal;
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function setUp(): Promise<{ apps: Apps; executor: MemoryExecutor; home: string }> {
  const { parts, executor, home, cleanup } = await memoryParts();
  cleanups.push(cleanup);
  return { apps: parts.apps, executor, home };
}

const order = (request: Partial<InstanceRequest> = {}) =>
  instanceRequest.parse({ image: 'hello', name: 'web', ...request });

/** The same home with a new process. */
async function restarted(home: string, executor: MemoryExecutor): Promise<Apps> {
  const records = openAppRecords(join(home, 'apps'), noLog);
  const apps = new Apps({
    ...{ executor, records, images: oneImage(), defaults: async () => DEFAULTS, clock: systemClock, log: noLog },
  });
  await apps.recover();
  cleanups.unshift(() => apps.close());
  return apps;
}

const keyOf = (apps: Apps, ref = 'web'): string => apps.board.find(ref).key ?? 'none';

describe('an instance', () => {
  test('is created, started, stopped, started again with a new machine, and removed', async () => {
    const { apps, executor, home } = await setUp();
    const created = await apps.create(order({ ports: [{ guest_port: 8080 }] }));
    expect(created).toMatchObject({ name: 'web', status: 'created', urls: [] });

    expect(await apps.start('web')).toMatchObject({ status: 'running', ready: true, urls: ['http://127.0.0.1:48080'] });
    const first = keyOf(apps);
    expect((await apps.start('web')).id).toBe(created.id);
    expect(keyOf(apps)).toBe(first);

    expect(await apps.stop('web')).toMatchObject({ status: 'exited', exit: { reason: 'stopped', status: 143 } });
    expect((await apps.stop('web')).status).toBe('exited');

    await apps.start('web');
    expect(keyOf(apps)).not.toBe(first);
    expect(executor.get(first)).toBeUndefined();

    await expect(apps.remove('web', false)).rejects.toMatchObject({ code: 'conflict' });
    await apps.remove('web', true);
    expect(apps.board.list(true)).toEqual([]);
    expect(executor.list()).toEqual([]);
    await expect(stat(join(home, 'apps', `${created.id}.json`))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('has a name of its own', async () => {
    const { apps } = await setUp();
    await apps.create(order());
    await expect(apps.create(order())).rejects.toMatchObject({ code: 'name_in_use' });
    expect((await apps.create(order({ name: undefined }))).name).toMatch(/^[a-z]+-[a-z]+$/);
  });

  test('that is refused at its start says so, and stays as it was', async () => {
    const { apps, executor } = await setUp();
    await apps.create(order({ restart: { policy: 'no' } }));
    executor.refusal = new UnikError('insufficient_memory', 'too much');
    await expect(apps.start('web')).rejects.toMatchObject({ code: 'insufficient_memory' });
    expect(apps.board.inspect('web', false)).toMatchObject({
      status: 'exited',
      exit: { reason: 'start_failed', status: 125 },
    });
    expect((await apps.start('web')).status).toBe('running');
  });

  test('may be killed while it is being stopped', async () => {
    const { apps, executor } = await setUp();
    await apps.create(order());
    await apps.start('web');
    await apps.kill('web', 'SIGHUP');
    expect(executor.killed).toEqual([[keyOf(apps), 'SIGHUP']]);
    await apps.kill('web', 'SIGKILL');
    expect(await apps.board.wait('web', 'exited', never)).toMatchObject({ exit: { reason: 'killed', status: 137 } });
    await expect(apps.kill('web', 'SIGHUP')).rejects.toMatchObject({ code: 'conflict' });
  });

  test('can be restarted on another kernel and back on the newest', async () => {
    const { apps, executor } = await setUp();
    await apps.create(order());
    await apps.start('web');
    await apps.restart('web', { kernel: 'linux-1' });
    expect(executor.get(keyOf(apps))?.spec.kernel).toBe('linux-1');
    await apps.restart('web', { kernel: 'newest' });
    expect(executor.get(keyOf(apps))?.spec.kernel).toBeUndefined();
  });

  test('keeps its environment out of summaries and events; inspect shows names', async () => {
    const { apps, home } = await setUp();
    const seen: unknown[] = [];
    apps.board.events.subscribe((event) => seen.push(event));
    const { id } = await apps.create(order({ env: { TOKEN: 'hush' } }));
    await apps.start('web');
    const shown = JSON.stringify([seen, apps.board.list(true), apps.board.inspect('web', false)]);
    expect(shown).not.toContain('hush');
    expect(apps.board.inspect('web', false).env).toEqual({ TOKEN: '********' });
    expect(apps.board.inspect('web', true).env).toEqual({ TOKEN: 'hush' });
    const record = join(home, 'apps', `${id}.json`);
    expect(await readFile(record, 'utf8')).toContain('hush');
    expect((await stat(record)).mode & 0o777).toBe(0o600);
  });
});

describe('policies', () => {
  test('on-failure restarts so often, then gives up', async () => {
    const { apps, executor } = await setUp();
    await apps.create(order({ restart: { policy: 'on-failure', max_retries: 2 } }));
    const keys = new Set<string>();
    await apps.start('web');
    for (let machine = 1; machine <= 3; machine++) {
      const key = keyOf(apps);
      keys.add(key);
      const next = apps.board.nextMachine(apps.board.find('web'), key, never);
      executor.end(key, { code: 1 });
      expect((await next) === undefined).toBe(machine === 3);
    }
    expect(keys.size).toBe(3);
    expect(apps.board.inspect('web', false)).toMatchObject({ status: 'exited', restarts: 2, exit: { status: 1 } });
  });

  test('a stop ends a back-off', async () => {
    const { apps, executor } = await setUp();
    await apps.create(order({ restart: { policy: 'always' } }));
    await apps.start('web');
    const ended = new Promise<void>((resolve) =>
      apps.board.events.subscribe(({ type }) => type === 'exit' && resolve()),
    );
    executor.end(keyOf(apps));
    await ended;
    expect(apps.board.inspect('web', false).status).toBe('restarting');
    expect((await apps.stop('web')).status).toBe('exited');
    expect(await apps.board.nextMachine(apps.board.find('web'), keyOf(apps), never)).toBeUndefined();
  });

  test('--rm leaves nothing', async () => {
    const { apps, executor } = await setUp();
    await apps.create(order({ auto_remove: true }));
    await apps.start('web');
    const gone = apps.board.wait('web', 'removed', never);
    executor.end(keyOf(apps), { code: 4 });
    expect(await gone).toMatchObject({ exit: { status: 4 } });
    expect(apps.board.list(true)).toEqual([]);
    expect(executor.list()).toEqual([]);
  });
});

describe('after a restart of the daemon', () => {
  test('machines are still known, ended ones are finished, and those that should be up come back', async () => {
    const { apps, executor, home } = await setUp();
    for (const [name, policy] of [
      ['stays', 'no'],
      ['ended', 'no'],
      ['back', 'unless-stopped'],
      ['stopped', 'unless-stopped'],
    ] as const) {
      await apps.create(order({ name, restart: { policy } }));
      await apps.start(name);
    }
    await apps.stop('stopped');
    const keys = { stays: keyOf(apps, 'stays'), ended: keyOf(apps, 'ended'), back: keyOf(apps, 'back') };
    await apps.close();
    executor.end(keys.ended, { code: 5 });
    executor.end(keys.back, { code: 0 });

    const again = await restarted(home, executor);
    await again.board.nextMachine(again.board.find('back'), keys.back, never);
    expect(await again.board.wait('ended', 'exited', never)).toMatchObject({ exit: { status: 5 } });
    expect(again.board.inspect('stays', false)).toMatchObject({ status: 'running', key: keys.stays });
    expect(again.board.inspect('back', false).status).toBe('running');
    expect(again.board.inspect('stopped', false).status).toBe('exited');
  });

  test('`down` is no stop by the user', async () => {
    const { apps, executor, home } = await setUp();
    await apps.create(order({ restart: { policy: 'unless-stopped' } }));
    await apps.create(order({ name: 'once' }));
    await apps.start('web');
    await apps.start('once');
    const key = keyOf(apps);
    expect(await apps.drain()).toBe(2);
    expect(executor.list().every(({ phase }) => phase === 'completed')).toBe(true);
    await apps.close();
    const again = await restarted(home, executor);
    expect(await again.board.nextMachine(again.board.find('web'), key, never)).toBeDefined();
    expect(again.board.inspect('once', false).status).toBe('exited');
  });

  test('a key without a machine is an end, not a riddle', async () => {
    const { apps, executor, home } = await setUp();
    await apps.create(order());
    await apps.start('web');
    await apps.close();
    executor.instances.clear();
    const again = await restarted(home, executor);
    expect(await again.board.wait('web', 'exited', never)).toMatchObject({ exit: { reason: 'killed', status: 137 } });
  });
});

describe('logs', () => {
  const texts = async (lines: AsyncIterable<{ text: string }>): Promise<string[]> => {
    const all: string[] = [];
    for await (const { text } of lines) all.push(text);
    return all;
  };

  test('following spans restarts and ends with the instance', async () => {
    const { apps, executor } = await setUp();
    const { id } = await apps.create(order({ restart: { policy: 'on-failure', max_retries: 1 } }));
    const all = texts(appLogs({ board: apps.board, executor }, 'web', { follow: true, kernel: false }, never));
    await apps.start('web');
    for (const line of ['one', 'two']) {
      const key = keyOf(apps);
      executor.say(id, line);
      executor.say(id, 'of the kernel', 'kernel');
      const next = apps.board.nextMachine(apps.board.find('web'), key, never);
      executor.end(key, { code: 1 });
      await next;
    }
    expect(await all).toEqual(['one', 'two']);
  });

  test('tail, since and kernel lines', async () => {
    const { apps, executor } = await setUp();
    const { id } = await apps.create(order());
    executor.say(id, 'a');
    executor.say(id, 'k', 'kernel');
    executor.say(id, 'b');
    const read = (options: { tail?: number; since?: number; kernel?: boolean }) =>
      texts(appLogs({ board: apps.board, executor }, 'web', { follow: false, kernel: false, ...options }, never));
    expect(await read({})).toEqual(['a', 'b']);
    expect(await read({ kernel: true })).toEqual(['a', 'k', 'b']);
    expect(await read({ tail: 1 })).toEqual(['b']);
    expect(await read({ since: Date.now() + 1000 })).toEqual([]);
  });
});

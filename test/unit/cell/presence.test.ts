import { describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Presence, presenceOwner, presenceValue } from '../../../backend/cell/presence.js';
import { LocketRefusal, type Locket } from '../../../backend/wire/locket.js';
import { UnikError } from '../../../core/errors.js';
import { noLog } from '../../../core/log.js';
import { flush, ManualClock } from '../../support/cell/reconciler.js';
import { root } from '../../support/unik.js';

const golden = (name: string) => readFile(join(root, 'test/fixtures/diego/rep-lib', `${name}.json`), 'utf8');

describe('the value is what the official Go types write', () => {
  test('with all this cell has', async () => {
    const facts = {
      ...{ cell_id: 'cell-a', zone: 'z1', stacks: ['cflinuxfs4', 'mystack'] },
      ...{ placement_tags: [], optional_placement_tags: ['tag-1'] },
      rep_url: 'https://cell-a.cell.service.cf.internal:1801',
    };
    const room = { memory_mb: 8192, disk_mb: 16384, containers: 100 };
    // This cell has no docker images.
    const expected = (await golden('cell-presence')).trim().replace(',{"name":"docker"}', '');
    expect(presenceValue(facts, 'http://10.0.0.1:1800', room)).toBe(expected);
  });

  test('with little', async () => {
    const facts = {
      cell_id: 'cell-a',
      zone: '',
      stacks: [],
      placement_tags: [],
      optional_placement_tags: [],
      rep_url: '',
    };
    const room = { memory_mb: 1, disk_mb: 0, containers: 1 };
    expect(presenceValue(facts, 'http://10.0.0.1:1800', room)).toBe((await golden('cell-presence-minimal')).trim());
  });
});

test('the owner outlives the process, and a broken file', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'unik-presence-'));
  const path = join(dir, 'presence.json');
  try {
    const first = await presenceOwner(path);
    expect(first).toMatch(/^[0-9a-f-]{36}$/);
    expect(await presenceOwner(path)).toBe(first);
    await writeFile(path, '{"owner":""}');
    expect(await presenceOwner(path)).not.toBe(first);
  } finally {
    await rm(dir, { recursive: true });
  }
});

function scripted() {
  const clock = new ManualClock();
  const told: string[] = [];
  let fault: (() => never) | undefined;
  const locket: Locket = {
    lock: async ({ owner, value }, ttl) => {
      told.push(`lock ${owner} ${value} ${ttl}`);
      fault?.();
    },
    release: async ({ key, owner }) => void told.push(`release ${key} ${owner}`),
    fetch: async (key) => ({ key, owner: 'other', value: '', type: '', type_code: 'PRESENCE' }),
    close: () => undefined,
  };
  const presence = new Presence({
    ...{ locket, clock, log: noLog, cell_id: 'cell-a', owner: 'me', value: () => 'v' },
    ...{ ttl_s: 15, beat_ms: 5_000 },
  });
  const fail = (with_: (() => never) | undefined): void => void (fault = with_);
  return { clock, told, presence, fail };
}
const collide = (): never => {
  throw new LocketRefusal('collision', 'lock-collision');
};
const away = (): never => {
  throw new UnikError('peer_unreachable', 'Locket');
};

test('is asked for until it is given, then renewed, through outages and collisions', async () => {
  const { clock, told, presence, fail } = scripted();
  fail(collide);
  let held = false;
  const acquired = presence.acquire(new AbortController().signal).then(() => (held = true));
  await clock.turn(15_000);
  expect(held).toBe(false);
  expect(told).toHaveLength(4);
  fail(undefined);
  await clock.turn(5_000);
  await acquired;
  fail(away);
  await clock.turn(60_000);
  fail(undefined);
  await clock.turn(5_000);
  expect(new Set(told)).toEqual(new Set(['lock me v 15']));
  expect(told).toHaveLength(5 + 12 + 1);
  await presence.close();
  await clock.turn(60_000);
  expect(told).toHaveLength(18);
});

test('closing leaves the row, releasing gives it up', async () => {
  const { told, presence } = scripted();
  await presence.acquire(new AbortController().signal);
  await presence.close();
  expect(told).toEqual(['lock me v 15']);
  await presence.release();
  expect(told.at(-1)).toBe('release cell-a me');
});

test('waiting for it can be given up', async () => {
  const { presence, fail } = scripted();
  fail(away);
  const stop = new AbortController();
  const acquired = presence.acquire(stop.signal);
  await flush();
  stop.abort();
  await expect(acquired).rejects.toMatchObject({ name: 'AbortError' });
});

import { afterAll, describe, expect, test } from '@jest/globals';
import { appendFile, cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { entryLines as lines, type Entry } from '../../../localcf/bbs/entries.js';
import { openStore } from '../../../localcf/bbs/store.js';
import { openJournal, recover } from '../../../localcf/journal.js';
import { LOCKET } from '../../../localcf/locket/table.js';

const folders: string[] = [];
async function aFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'unik-journal-'));
  folders.push(folder);
  return folder;
}
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

const domain = (name: string, expires_at = 1): Entry => ({ put: 'domain', domain: name, expires_at });
const none = (): Entry[] => [];

describe('the journal', () => {
  test('keeps what settled, in order', async () => {
    const folder = await aFolder();
    const journal = await openJournal({ folder, lines, all: none }, 0);
    const entries = Array.from({ length: 50 }, (_, n) => domain(`d${n}`));
    for (const entry of entries) journal.append([entry]);
    await journal.settled();
    expect((await recover(folder, lines)).entries).toEqual(entries);
    await journal.close();
  });

  test('many commands share a sync', async () => {
    const folder = await aFolder();
    let syncs = 0;
    const sync = async (): Promise<void> => void (syncs += 1);
    const journal = await openJournal({ folder, lines, all: none, sync }, 0);
    for (let n = 0; n < 500; n++) journal.append([domain(`d${n}`)]);
    await journal.settled();
    expect(syncs).toBeLessThan(5);
    await journal.close();
  });

  test('cut at any byte, whole commands are left and the next one does not continue a torn line', async () => {
    const folder = await aFolder();
    const journal = await openJournal({ folder, lines, all: none }, 0);
    const commands = [[domain('a'), domain('b')], [{ drop: 'domain', key: 'a' } as const], [domain('ü"\n', Infinity)]];
    for (const command of commands) journal.append(command);
    await journal.settled();
    await journal.close();
    const whole = await readFile(join(folder, 'journal-0.jsonl'));
    const ends = [...whole.keys()].filter((at) => whole[at] === 10).map((at) => at + 1);
    for (let at = 0; at <= whole.length; at++) {
      const copy = await aFolder();
      await writeFile(join(copy, 'journal-0.jsonl'), whole.subarray(0, at));
      const kept = commands.slice(0, ends.filter((end) => end <= at).length).flat();
      expect((await recover(copy, lines)).entries).toEqual(kept);
      const again = await openJournal({ folder: copy, lines, all: none }, 0);
      again.append([domain('next')]);
      await again.settled();
      await again.close();
      expect((await recover(copy, lines)).entries).toEqual([...kept, domain('next')]);
    }
  });

  test('grown large it becomes a snapshot, and the older files go', async () => {
    const folder = await aFolder();
    const store = await openStore({ folder, clock: systemClock, locket: LOCKET, rotate_bytes: 2_000 });
    for (let n = 0; n < 300; n++) {
      const change = { put: 'domain', domain: `d${n % 20}`, expires_at: n } as const;
      store.state.apply(change);
      store.journal.append([change]);
      await store.journal.settled();
    }
    await store.journal.close();
    const names = (await readdir(folder)).toSorted();
    expect(names).toEqual([
      expect.stringMatching(/^journal-\d+\.jsonl$/),
      expect.stringMatching(/^snapshot-\d+\.jsonl$/),
    ]);
    expect(names[0]).not.toBe('journal-0.jsonl');
    const again = await openStore({ folder, clock: systemClock, locket: LOCKET });
    expect(again.state.domains).toEqual(store.state.domains);
    await again.journal.close();
  });

  test('a crash between snapshot and new journal loses nothing', async () => {
    const folder = await aFolder();
    const store = await openStore({ folder, clock: systemClock, locket: LOCKET, rotate_bytes: 1 });
    store.state.apply({ put: 'domain', domain: 'kept', expires_at: 7 });
    store.journal.append([domain('kept', 7)]);
    await store.journal.settled();
    await store.journal.close();
    const copy = await aFolder();
    await cp(folder, copy, { recursive: true });
    await rm(join(copy, 'journal-1.jsonl'));
    await writeFile(join(copy, 'journal-0.jsonl'), '[{"put":"domain","domain":"kept","expires_at":3}]\n');
    const again = await openStore({ folder: copy, clock: systemClock, locket: LOCKET });
    expect([...again.state.domains]).toEqual([['kept', 7]]);
    await again.journal.close();
  });

  test('that cannot be written answers nothing more', async () => {
    const folder = await aFolder();
    const journal = await openJournal(
      { folder, lines, all: none, sync: () => Promise.reject(new Error('no space left')) },
      0,
    );
    journal.append([domain('a')]);
    await expect(journal.settled()).rejects.toMatchObject({ code: 'disk_full' });
    journal.append([domain('b')]);
    await expect(journal.settled()).rejects.toMatchObject({ code: 'disk_full' });
    await journal.close();
  });

  test('with a broken line in its middle is told, not guessed', async () => {
    const folder = await aFolder();
    await appendFile(join(folder, 'journal-0.jsonl'), '[]\n{"put":\n[]\n');
    await expect(recover(folder, lines)).rejects.toThrow('journal-0.jsonl line 2');
    await truncate(join(folder, 'journal-0.jsonl'), 3);
    expect((await recover(folder, lines)).entries).toEqual([]);
  });
});

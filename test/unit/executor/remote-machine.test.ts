import { expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import type { Driver } from '../../../executor/remote/driver.js';
import { PACE, RemoteLive } from '../../../executor/remote/machine.js';
import { Spool } from '../../../executor/remote/spool.js';

test('the end of a machine while its serial line is being read loses and repeats nothing', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'unik-remote-'));
  try {
    let line = Buffer.from('first words\n');
    const read = async (_ref: unknown, bytes: number): Promise<Buffer> => {
      const now = line.subarray(bytes);
      await delay(30);
      return now;
    };
    const driver = { name: 'vsphere', serial: { kind: 'after', read } } as unknown as Driver;
    const spool = await Spool.open(dir);
    const pace = { ...PACE, serial_ms: 20, settle_ms: 200 };
    const record = { schema: 1, key: 'k', owner: 'o/c', name: 'k', ports: [], id: 'k' } as const;
    const save = (): Promise<void> => Promise.resolve();
    const live = new RemoteLive(
      { ...record, ports: [] },
      { driver, spool, forwards: undefined, pace, clock: systemClock, log: noLog, token: 't', save },
    );
    line = Buffer.concat([line, Buffer.from('last words\n')]);
    await live.note({ key: 'k', owner: 'o/c', id: 'k', state: 'ended' });
    await live.exit;
    const said: Buffer[] = [];
    for await (const { bytes } of spool.chunks({}, new AbortController().signal)) said.push(Buffer.from(bytes));
    expect(Buffer.concat(said).toString()).toBe('first words\nlast words\n');
    live.close();
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

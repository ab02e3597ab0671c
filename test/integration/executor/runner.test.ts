import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutorEvent } from '../../../executor/executor.js';
import type { Instance, LogLine } from '../../../executor/model.js';
import { aSpec, Bench, never } from '../../support/executor.js';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open();
});
afterEach(() => bench.close());

const is =
  (phase: Instance['phase']) =>
  (instance: Instance): boolean =>
    instance.phase === phase;

async function collect(lines: AsyncIterable<LogLine>): Promise<string[]> {
  const texts: string[] = [];
  for await (const line of lines) if (line.stream !== 'kernel') texts.push(line.text);
  return texts;
}

describe('an instance', () => {
  test('goes through its life, says so, and leaves nothing when removed', async () => {
    const { executor } = bench;
    const events: ExecutorEvent['type'][] = [];
    executor.subscribe((event) => events.push(event.type));
    const { spec } = await executor.run(aSpec());
    expect(await executor.until(spec.key, is('running'), never())).toMatchObject({
      ready: true,
      kernel: 'linux-1-aaaaaaaaaaaa',
    });
    const done = await executor.stop(spec.key);
    expect(done).toMatchObject({ phase: 'completed', exit: { reason: 'stopped', code: 0 } });
    expect(done.handle).toBeUndefined();
    expect(await collect(executor.logs(spec.log_id, {}, never()))).toEqual(['goodbye']);
    await executor.remove(spec.key);
    await executor.remove(spec.key);
    expect(events).toEqual(['reserved', 'initializing', 'created', 'running', 'ready', 'completed', 'removed']);
    expect(executor.list()).toEqual([]);
    expect(await readdir(join(bench.home, 'instances'))).toEqual([]);
    expect(await readdir(join(bench.home, 'fake'))).toEqual([]);
  });
});

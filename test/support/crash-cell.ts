/**
 * A cell over fake machines, made to be killed: `churn HOME` runs, stops and removes instances at random for ever;
 * `drain HOME` removes all and prints what is left. Bundled and started by the crash test.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { LogLine } from '../../executor/model.js';
import { aSpec, Bench, never, OWNER } from './executor.js';

export const LASTING = 'lasting';

export interface Drained {
  /** What the one instance said that lived through all kills. */
  lasting: string[];
  machines: string[];
  files: string[];
}

async function churn(bench: Bench): Promise<never> {
  const { executor } = bench;
  if (!executor.get(LASTING)) {
    await executor.run(aSpec({ key: LASTING, env: { FAKE_LINES: '-1', FAKE_LINES_PER_S: '300' } }));
  }
  console.log('ready');
  for (;;) {
    const others = executor.list().filter((instance) => instance.spec.key !== LASTING);
    const one = others[Math.floor(Math.random() * others.length)];
    const dice = Math.random();
    if (one && others.length > 5) await executor.remove(one.spec.key);
    else if (one && dice < 0.3) void executor.stop(one.spec.key, 20).catch(() => undefined);
    else await executor.run(aSpec({ env: { FAKE_START_DELAY_MS: '10', FAKE_IGNORES_TERM: '1' } }));
    await delay(5);
  }
}

async function drain(bench: Bench): Promise<Drained> {
  const { executor, provider, home } = bench;
  await executor.stop(LASTING);
  const lasting: string[] = [];
  const lines: AsyncIterable<LogLine> = executor.logs(LASTING, { streams: ['stdout'] }, never());
  for await (const line of lines) lasting.push(line.text);
  for (const { spec } of executor.list()) await executor.remove(spec.key);
  const machines = (await provider.list(OWNER)).map((handle) => handle.key);
  const files = [...(await readdir(join(home, 'fake'))), ...(await readdir(join(home, 'instances')))];
  await executor.close();
  return { lasting, machines, files };
}

const [, , verb, home = ''] = process.argv;
const bench = await Bench.openIn(home);
await bench.executor.gc(OWNER);
if (verb === 'churn') await churn(bench);
console.log(JSON.stringify(await drain(bench)));

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { createIngress } from '../../../backend/logs/ingress.js';
import { createLoggregatorSink } from '../../../backend/logs/loggregator.js';
import { LineCutter } from '../../../executor/console/lines.js';
import { makeAgent, until, type TestAgent } from '../../support/logs/agent.js';

/** An application's output as it comes from a console: in pieces. */
const MB = 2 ** 20;
const CHUNK = 64 * 1024;
const OUTPUTS: [what: string, bytes: Buffer][] = [
  ['50 MB without a line end', Buffer.alloc(50 * MB, 'x')],
  ['what is no UTF-8', Buffer.from(Array.from({ length: MB / 2 }, (_, i) => (i % 97 === 0 ? 0x0a : 128 + (i % 128))))],
  ['terminal escapes', Buffer.from('\u001b[31mred\u001b[2J\u001b]0;title\u0007\u0000\n'.repeat(10_000))],
  ['a line for each byte', Buffer.from('a\n'.repeat(80_000))],
  ['carriage returns', Buffer.from('10%\r20%\r30%\r'.repeat(20_000))],
];

let agent: TestAgent;
beforeAll(async () => {
  agent = await makeAgent();
}, 60_000);
afterAll(() => agent.stop());

const config = (guid: string) => ({ guid, index: 0, source: 'CELL', tags: {}, bytes_per_second: -1 });

/** Envelopes that may be on their way when a line is said: what is in flight, and in the sockets' buffers. */
const ON_THE_WAY = 5_000;

test.each(OUTPUTS)(
  '%s breaks nothing, and another application does not wait for it',
  async (_what, bytes) => {
    await agent.start();
    agent.taken.length = 0;
    const sink = createLoggregatorSink(
      createIngress({ agent: agent.client(), clock: systemClock, log: noLog, flush_ms: 20 }),
    );
    const saidAt: number[] = [];
    const say = (): void => {
      saidAt.push(agent.taken.length);
      sink.log(config('quiet'), { source: 'APP', stream: 'out', text: `quiet ${saidAt.length - 1}`, at: Date.now() });
    };
    const heard = (): number[] => agent.taken.flatMap(({ source_id }, i) => (source_id === 'quiet' ? [i] : []));
    say();
    await until(() => heard().length === 1);
    const cutter = new LineCutter();
    let cut = 0;
    for (let from = 0; from < bytes.length; from += CHUNK) {
      for (const { text } of cutter.push(bytes.subarray(from, from + CHUNK))) {
        if (text !== '') cut++;
        sink.log(config('loud'), { source: 'APP', stream: 'out', text, at: Date.now() });
      }
      if (heard().length === saidAt.length) say();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await sink.close(20_000);
    const between = heard().map((at, n) => at - (saidAt[n] ?? 0));
    expect(between).toHaveLength(saidAt.length);
    expect(saidAt.length).toBeGreaterThan(1);
    expect(Math.max(...between)).toBeLessThan(ON_THE_WAY);
    expect(agent.lines('quiet')).toEqual(saidAt.map((_at, n) => `quiet ${n}`));
    const { sent, dropped, queued } = sink.stats();
    expect(queued).toBe(0);
    expect(sent + dropped).toBeGreaterThanOrEqual(saidAt.length + cut);
    for (const text of agent.lines('loud')) expect(Buffer.byteLength(text)).toBeLessThanOrEqual(61_440);
  },
  60_000,
);

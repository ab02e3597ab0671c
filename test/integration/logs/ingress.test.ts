import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { createIngress, type Ingress, type IngressOptions } from '../../../backend/logs/ingress.js';
import { createLoggregatorSink } from '../../../backend/logs/loggregator.js';
import { makeAgent, until, type TestAgent } from '../../support/logs/agent.js';

let agent: TestAgent;
let open: Ingress[];
beforeAll(async () => {
  agent = await makeAgent();
}, 60_000);
beforeEach(async () => {
  agent.taken.length = 0;
  open = [];
  await agent.start();
});
afterEach(async () => {
  await Promise.all(open.map((ingress) => ingress.close(0)));
  agent.stop();
});

function connect(options: Partial<IngressOptions> = {}): Ingress {
  const ingress = createIngress({
    agent: agent.client(),
    clock: systemClock,
    log: noLog,
    pause_ms: 20,
    max_pause_ms: 100,
    renew_ms: 150,
    ...options,
  });
  open.push(ingress);
  return ingress;
}

const source = { key: 'app 0', source_id: 'app', instance_id: '0', tags: { source_type: 'APP/PROC/WEB' } };
const line = (text: string, at = Date.now(), of = source) => ({
  source: of,
  at,
  log: { payload: Buffer.from(text), type: 'OUT' as const },
});
const numbered = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => `line ${from + i}`);

test('every line arrives once, in order, with times that grow, over many calls', async () => {
  const ingress = connect();
  for (const [i, text] of numbered(5_000).entries()) {
    ingress.send(line(text, 1_764_000_000_000));
    if (i % 500 === 499) await new Promise((resolve) => setTimeout(resolve, 40));
  }
  await ingress.close(5_000);
  expect(agent.lines()).toEqual(numbered(5_000));
  const times = agent.taken.map(({ timestamp }) => timestamp);
  expect(times[0]).toBe(1_764_000_000_000_000_000n);
  expect(times.slice(1).every((time, i) => time > (times[i] ?? time))).toBe(true);
  expect(ingress.stats()).toMatchObject({ sent: 5_000, dropped: 0, unconfirmed: 0, broken: 0, queued: 0 });
}, 20_000);

test('a line alone is there soon, and is confirmed without another', async () => {
  const ingress = connect();
  ingress.send(line('alone'));
  await until(() => ingress.stats().sent === 1);
  expect(agent.lines()).toEqual(['alone']);
});

describe('an agent that goes away', () => {
  test('costs nothing where what is meant for it fits the queue', async () => {
    agent.stop();
    const ingress = connect();
    for (const text of numbered(300)) ingress.send(line(text));
    await agent.start();
    await until(() => agent.taken.length >= 300);
    expect(agent.lines()).toEqual(numbered(300));
  });

  test('costs lines that are counted, and told of where they are missing; everything after arrives', async () => {
    const ingress = connect({ max_envelopes: 200, tell_ms: 100 });
    for (const text of numbered(50)) ingress.send(line(text));
    await until(() => ingress.stats().sent === 50);
    agent.stop();
    for (const text of numbered(1_000, 50)) ingress.send(line(text));
    await until(() => ingress.stats().queued === 200);
    expect(ingress.stats().dropped).toBe(800);
    await agent.start();
    await until(() => ingress.stats().sent === 250);
    for (const text of numbered(20, 1_050)) ingress.send(line(text));
    await until(() => ingress.stats().sent === 270);
    const got = agent.lines();
    const told = got.filter((text) => text.includes('messages lost'));
    expect(told).toEqual([expect.stringMatching(/^800 messages lost for application app:/)]);
    expect(got.indexOf(told[0] ?? '')).toBe(50);
    expect(got.filter((text) => !told.includes(text))).toEqual([...numbered(50), ...numbered(220, 850)]);
  });

  test('in the middle of a stream loses no more than is told', async () => {
    const ingress = connect({ tell_ms: 50, renew_ms: 60_000 });
    let sent = 0;
    const feed = setInterval(() => {
      for (let i = 0; i < 20; i++) ingress.send(line(`line ${sent++}`));
    }, 5);
    await until(() => agent.taken.length > 500);
    agent.stop();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await agent.start();
    const mark = sent;
    await until(() => sent > mark + 1_000);
    clearInterval(feed);
    await ingress.close(5_000);
    const stats = ingress.stats();
    const got = agent.lines().filter((text) => text.startsWith('line '));
    expect(new Set(got).size).toBe(got.length);
    expect(stats.sent + stats.dropped + stats.unconfirmed).toBe(sent);
    expect(got.length).toBeGreaterThanOrEqual(sent - stats.unconfirmed - stats.dropped);
    expect(got.slice(-(sent - mark))).toEqual(numbered(sent - mark, mark));
    const told = agent.lines().flatMap((text) => /^up to (\d+) messages lost in transit/.exec(text)?.[1] ?? []);
    expect(told.map(Number).reduce((sum, n) => sum + n, 0)).toBe(stats.unconfirmed);
    expect(stats.broken).toBeGreaterThan(0);
  }, 20_000);
});

test('with a certificate of another authority nothing is sent, so nothing is lost', async () => {
  const ingress = connect({ agent: agent.client(agent.stranger) });
  for (const text of numbered(150)) ingress.send(line(text));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(agent.taken).toEqual([]);
  expect(ingress.stats()).toMatchObject({ sent: 0, unconfirmed: 0, queued: 150 });
});

test('closing has an end, and what was left is counted', async () => {
  agent.stop();
  const ingress = connect();
  for (const text of numbered(10)) ingress.send(line(text));
  await ingress.close(200);
  ingress.send(line('too late'));
  expect(ingress.stats()).toMatchObject({ sent: 0, dropped: 11, queued: 0 });
});

test('the sink tells lines and samples of a container with all its tags', async () => {
  const sink = createLoggregatorSink(connect());
  const tags = { source_id: 'app', instance_id: '1', process_id: 'p' };
  const logs = { guid: 'app', index: 1, source: 'CELL', tags, bytes_per_second: 4_096 };
  const usage = {
    guid: 'i',
    cpu_ns: 1n,
    memory_bytes: 1,
    disk_bytes: 1,
    memory_quota_bytes: 1,
    disk_quota_bytes: 1,
    age_ns: 1n,
  };
  sink.metrics({ guid: 'app', index: 1, tags }, { ...usage, at: 10_000 }, 0, logs);
  for (let n = 0; n < 3; n++)
    sink.log(logs, { source: 'APP/PROC/WEB', stream: 'err', text: 'x'.repeat(100), at: 10_500 });
  sink.metrics({ guid: 'app', index: 1, tags }, { ...usage, at: 12_000 }, 5, logs);
  sink.log({ ...logs, guid: '' }, { source: 'CELL', stream: 'out', text: 'of nobody', at: 1 });
  await sink.close(5_000);
  const rates = agent.taken.flatMap(({ gauge }) => gauge?.metrics['log_rate'] ?? []);
  expect(rates).toEqual([
    { unit: 'B/s', value: 0 },
    { unit: 'B/s', value: 150 },
  ]);
  expect(agent.taken).toHaveLength(9);
  for (const envelope of agent.taken) {
    expect(envelope).toMatchObject({ source_id: 'app', instance_id: '1', tags: { ...tags, origin: 'rep' } });
  }
  expect(agent.taken.find(({ log }) => log)).toMatchObject({
    log: { type: 'ERR' },
    tags: { source_type: 'APP/PROC/WEB' },
  });
});

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { createIngress } from '../../../backend/logs/ingress.js';
import { createLoggregatorSink, type LoggregatorSink } from '../../../backend/logs/loggregator.js';
import { createAgent } from '../../../backend/wire/loggregator.js';
import { ALL_PEERS, getJson, startRealLogs, type RealLogs } from '../../support/logs/real.js';
import { describePeer } from '../../support/peers.js';

const LINES = 100_000;
/** The agents between keep no more than 10 000 envelopes and overwrite the oldest: ours must not outrun them. */
const AHEAD = 4_000;
/** How long the agent is away. */
const AWAY_MS = 20_000;

interface Read {
  timestamp: string;
  instance_id: string;
  tags: Record<string, string>;
  log?: { payload: string; type: string };
  gauge?: { metrics: Record<string, { unit: string; value: number }> };
}

describePeer('The real forwarder agent and log-cache', ALL_PEERS, () => {
  let real: RealLogs;
  const sinks: LoggregatorSink[] = [];
  beforeAll(async () => {
    real = await startRealLogs(ALL_PEERS);
  }, 60_000);
  afterAll(async () => {
    await Promise.all(sinks.map((sink) => sink.close(0)));
    await real.close();
  }, 60_000);

  const config = (app: string) => ({
    guid: app,
    index: 0,
    source: 'CELL',
    bytes_per_second: -1,
    tags: { source_id: app, instance_id: '0', process_id: `${app}-process`, app_name: 'numbers' },
  });

  function connect(options: { max_envelopes?: number } = {}): LoggregatorSink {
    const agent = createAgent(real.agent, real.tls, 'metron');
    const sink = createLoggregatorSink(
      createIngress({ agent, clock: systemClock, log: noLog, max_pause_ms: 500, ...options }),
    );
    sinks.push(sink);
    return sink;
  }

  function say(sink: LoggregatorSink, app: string, n: number): void {
    sink.log(config(app), {
      source: 'APP/PROC/WEB',
      stream: n % 10 ? 'out' : 'err',
      text: `line ${n}`,
      at: Date.now(),
    });
  }

  async function count(app: string): Promise<number> {
    const { body } = await getJson(`${real.gateway}/api/v1/meta`);
    return Number((body as { meta: Record<string, { count: string } | undefined> }).meta[app]?.count ?? 0);
  }

  async function until(what: string, done: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (!(await done())) {
      if (Date.now() > deadline) throw new Error(`not within 60 s: ${what}`);
      await delay(50);
    }
  }

  /** All of a source, a page at a time, as `cf` reads. */
  async function readAll(app: string): Promise<Read[]> {
    const all: Read[] = [];
    for (let from = 0n; ;) {
      const { body } = await getJson(`${real.gateway}/api/v1/read/${app}?limit=1000&start_time=${from}`);
      const { batch } = (body as { envelopes: { batch: Read[] } }).envelopes;
      all.push(...batch);
      const last = batch.at(-1);
      if (!last) return all;
      from = BigInt(last.timestamp) + 1n;
    }
  }

  const textOf = (one: Read): string => Buffer.from(one.log?.payload ?? '', 'base64').toString();

  test(`have every one of ${LINES} lines once, in order, with its tags`, async () => {
    const sink = connect();
    for (let n = 0; n < LINES; n++) {
      say(sink, 'many', n);
      if (n % 500 === 499) await until('log-cache keeps up', async () => n - (await count('many')) < AHEAD - 500);
    }
    await until('all of them are in log-cache', async () => (await count('many')) >= LINES);
    const got = await readAll('many');
    expect(got).toHaveLength(LINES);
    expect(got.findIndex((one, n) => textOf(one) !== `line ${n}`)).toBe(-1);
    expect(got.findIndex((one, n) => one.log?.type !== (n % 10 ? 'OUT' : 'ERR'))).toBe(-1);
    const wanted = { ...config('many').tags, source_type: 'APP/PROC/WEB', origin: 'rep', deployment: 'cf' };
    for (const one of [got[0], got.at(-1)]) expect(one).toMatchObject({ instance_id: '0', tags: wanted });
    expect(sink.stats()).toMatchObject({ dropped: 0, unconfirmed: 0, broken: 0 });
  }, 300_000);

  test('when the agent is killed: what is lost is counted and told, and all that comes after arrives', async () => {
    const sink = connect({ max_envelopes: 2_000 });
    let n = 0;
    const feed = setInterval(() => {
      for (let i = 0; i < 20; i++) say(sink, 'outage', n++);
    }, 20);
    await until('lines arrive', async () => (await count('outage')) > 500);
    await real.stop('forwarder-agent');
    const down = n;
    // Longer than what is kept for it lasts: some are lost.
    await delay(AWAY_MS);
    await until('more is said than is kept', async () => sink.stats().dropped > 100);
    await real.start('forwarder-agent');
    const back = n;
    await until('lines are said after it is back', async () => n > back + 1_000);
    clearInterval(feed);
    await until('all are sent', async () => sink.stats().queued === 0);
    await sink.close(10_000);
    const { dropped, unconfirmed, sent } = sink.stats();
    expect(sent + dropped + unconfirmed).toBe(n);
    await until(
      'they are in log-cache',
      async () => textOf((await readAll('outage')).at(-1) ?? empty) === `line ${n - 1}`,
    );
    const got = (await readAll('outage')).map(textOf);
    const lines = got.filter((text) => text.startsWith('line ')).map((text) => Number(text.slice(5)));
    expect(lines).toEqual([...new Set(lines)].sort((a, b) => a - b));
    expect(lines.filter((one) => one >= back)).toHaveLength(n - back);
    const told = got.flatMap((text) => {
      const lost = /(?:^|\D)(\d+) messages lost(?! in transit)/.exec(text)?.[1] ?? 0;
      const perhaps = /up to (\d+) (?:messages|more) lost in transit/.exec(text)?.[1] ?? 0;
      return text.startsWith('line ') ? [] : [{ lost: Number(lost), perhaps: Number(perhaps) }];
    });
    expect(told.reduce((sum, { lost }) => sum + lost, 0)).toBe(dropped);
    expect(told.reduce((sum, { perhaps }) => sum + perhaps, 0)).toBe(unconfirmed);
    // What the agent had read and not passed on is among the lines in doubt.
    expect(n - lines.length).toBeLessThanOrEqual(dropped + unconfirmed);
    expect(down).toBeLessThan(back);
  }, 180_000);

  test('take the metrics of an instance under the names that Cloud Controller reads', async () => {
    const sink = connect();
    const { bytes_per_second: _limit, source: _source, ...metrics } = config('gauges');
    const usage = {
      guid: 'i',
      cpu_ns: 5n,
      memory_bytes: 7,
      disk_bytes: 8,
      memory_quota_bytes: 9,
      disk_quota_bytes: 10,
    };
    sink.metrics(metrics, { ...usage, at: Date.now(), age_ns: 11n }, 12.5, config('gauges'));
    await sink.close(10_000);
    await until('they are in log-cache', async () => (await count('gauges')) >= 11);
    const got = await readAll('gauges');
    const found = got.flatMap((one) => Object.entries(one.gauge?.metrics ?? {}));
    expect(Object.fromEntries(found.map(([name, { unit, value }]) => [name, `${value} ${unit}`]))).toEqual({
      cpu: '12.5 percentage',
      memory: '7 bytes',
      disk: '8 bytes',
      memory_quota: '9 bytes',
      disk_quota: '10 bytes',
      container_age: '11 nanoseconds',
      cpu_entitlement: '12.5 percentage',
      absolute_usage: '5 nanoseconds',
      absolute_entitlement: '11 nanoseconds',
      log_rate: '0 B/s',
      log_rate_limit: '-1 B/s',
    });
    for (const one of got) expect(one).toMatchObject({ instance_id: '0', tags: { process_id: 'gauges-process' } });
  }, 120_000);
});

const empty: Read = { timestamp: '0', instance_id: '', tags: {} };

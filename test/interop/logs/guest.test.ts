/** A hundred thousand lines that a real machine prints, on the whole real way to log-cache, and its agent killed. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { urlOf } from '../../support/cell/control.js';
import { loggregatorConfig, startMachines, type Machines } from '../../support/cell/machines.js';
import { freePorts } from '../../support/diego/children.js';
import { whyNoGuest } from '../../support/guest.js';
import { ALL_PEERS, getJson, startRealLogs, type RealLogs } from '../../support/logs/real.js';
import { describePeer } from '../../support/peers.js';
import { fetchUntil200, until } from '../../support/unik.js';

const missing = whyNoGuest();
if (missing !== undefined) throw new Error(`lines of a guest: ${missing}`);

const APP = 'numbers';
const SOURCE = `app-${APP}`;
const LINES = 100_000;
/** At once. The agents between keep 10 000 envelopes and overwrite the oldest: the guest must not outrun them. */
const PART = 4_000;
const AWAY_MS = 20_000;

interface Read {
  timestamp: string;
  instance_id: string;
  tags: Record<string, string>;
  log?: { payload: string; type: string };
}

describePeer('Lines of a guest', ALL_PEERS, () => {
  let real: RealLogs;
  let machines: Machines;
  let url: string;
  let status = 0;
  beforeAll(async () => {
    real = await startRealLogs(ALL_PEERS);
    [status = 0] = await freePorts(1);
    machines = await startMachines({
      config: async (home) => ({
        loggregator: await loggregatorConfig(home, real.agent, real.tls),
        status_addr: `127.0.0.1:${status}`,
      }),
    });
    const env = { UNIK_KERNEL_LOG: 'off' };
    await machines.control.desire({ process_guid: APP, droplet: machines.droplet, memory_mb: 64, env });
    const [lrp] = await machines.control.running(APP, 1, 180_000);
    if (!lrp) throw new Error('no instance');
    url = urlOf(lrp);
  }, 400_000);
  afterAll(async () => {
    await machines.close();
    await real.close();
  }, 60_000);

  /** Prints `line FROM` and so on, before `line TO`. */
  const count = (from: number, to: number): Promise<string> => fetchUntil200(`${url}/count/${from}/${to}`);
  const textOf = (one: Read): string => Buffer.from(one.log?.payload ?? '', 'base64').toString();
  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${status}/metrics`)).text();
    return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
  };

  /** The newest lines, as `cf logs --recent` asks. */
  async function newest(): Promise<string[]> {
    const { body } = await getJson(`${real.gateway}/api/v1/read/${SOURCE}?limit=20&descending=true&envelope_types=LOG`);
    return (body as { envelopes: { batch: Read[] } }).envelopes.batch.map(textOf);
  }
  const arrived = (text: string): Promise<unknown> =>
    until(`${text} is in log-cache`, async () => ((await newest()).includes(text) ? true : undefined), 60_000);

  async function readAll(from = 0n): Promise<Read[]> {
    const all: Read[] = [];
    for (;;) {
      const at = `${real.gateway}/api/v1/read/${SOURCE}?limit=1000&envelope_types=LOG&start_time=${from}`;
      const { batch } = ((await getJson(at)).body as { envelopes: { batch: Read[] } }).envelopes;
      all.push(...batch);
      const last = batch.at(-1);
      if (!last) return all;
      from = BigInt(last.timestamp) + 1n;
    }
  }

  test(`every one of ${LINES} arrives once, in order, with its tags`, async () => {
    for (let n = 0; n < LINES; n += PART) {
      await count(n, Math.min(LINES, n + PART));
      await arrived(`line ${Math.min(LINES, n + PART) - 1}`);
    }
    const lines = (await readAll()).filter((one) => one.tags['source_type'] === 'APP/PROC/WEB');
    const numbered = lines.filter((one) => textOf(one).startsWith('line '));
    expect(numbered).toHaveLength(LINES);
    expect(numbered.findIndex((one, n) => textOf(one) !== `line ${n}`)).toBe(-1);
    const tags = { source_id: SOURCE, process_id: APP, process_type: 'web', instance_id: '0', app_name: APP };
    const wanted = { instance_id: '0', tags: { ...tags, source_type: 'APP/PROC/WEB', origin: 'rep' } };
    for (const one of [numbered[0], numbered.at(-1)]) expect(one).toMatchObject(wanted);
    expect(await metric('unik_cell_log_envelopes_dropped_total')).toBe(0);
  }, 400_000);

  test('with the agent killed for 20 s: what is lost is counted and told, and all that comes after arrives', async () => {
    const from = BigInt(Date.now()) * 1_000_000n;
    let n = 0;
    const say = async (lines: number): Promise<void> => {
      await count(n, n + lines);
      n += lines;
    };
    await say(1_000);
    await arrived('line 999');
    const down = n;
    await real.stop('forwarder-agent');
    const back = Date.now() + AWAY_MS;
    // No more than the agents behind keep: they would overwrite what comes all at once.
    for (const lines of [PART, PART]) await say(lines);
    await delay(Math.max(0, back - Date.now()));
    await real.start('forwarder-agent');
    await arrived(`line ${n - 1}`);
    await say(1_000);
    await arrived(`line ${n - 1}`);
    const got = (await readAll(from)).map(textOf);
    const numbers = got.filter((text) => text.startsWith('line ')).map((text) => Number(text.slice(5)));
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    // All that was said from the kill on is there; of what was under way, as many may be missing as is told.
    expect(numbers.filter((one) => one >= down)).toHaveLength(n - down);
    const [dropped, unconfirmed] = [
      await metric('unik_cell_log_envelopes_dropped_total'),
      await metric('unik_cell_log_envelopes_unconfirmed_total'),
    ];
    expect(dropped).toBe(0);
    expect(n - numbers.length).toBeLessThanOrEqual(unconfirmed);
    const told = got.flatMap((text) => (/up to (\d+) (?:messages|more) lost in transit/.exec(text) ?? []).slice(1));
    expect(told.map(Number).reduce((sum, one) => sum + one, 0)).toBe(unconfirmed);
    process.stderr.write(`${n} said, ${numbers.length} arrived, of up to ${unconfirmed} in transit it was told\n`);
  }, 300_000);
});

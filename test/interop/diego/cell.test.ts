/** The real BBS, Locket and auctioneer place, start, watch and end unikernels on our cell: real QEMU machines. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Blobs } from '../../support/cell/bits.js';
import { guidOf, indexOf, urlOf, type Control } from '../../support/cell/control.js';
import type { Droplet } from '../../support/cell/desired.js';
import { layGround, type Ground } from '../../support/cell/ground.js';
import type { RealDiego } from '../../support/diego/real.js';
import { describePeer } from '../../support/peers.js';
import { fetchUntil200, processesOf, until, type Unik } from '../../support/unik.js';

describePeer('unikernels under the real Diego', ['postgres', 'locket', 'bbs', 'auctioneer'], () => {
  let ground: Ground;
  let diego: RealDiego;
  let unik: Unik;
  let blobs: Blobs;
  let droplet: Droplet;
  let control: Control;

  beforeAll(async () => {
    ground = await layGround();
    ({ diego, unik, blobs, droplet, control } = ground);
  }, 240_000);
  afterAll(() => ground.close(), 60_000);

  const machines = async (): Promise<number> =>
    (await processesOf(unik.home)).filter((line) => /qemu-system|unik-/.test(line)).length;

  test('three instances answer, each with its index; scaled to five and to one; deleted: no machine is left', async () => {
    const process_guid = 'three';
    await control.desire({ process_guid, droplet, instances: 3 });
    const up = await control.running(process_guid, 3, 120_000);
    for (const lrp of up) {
      expect(await fetchUntil200(urlOf(lrp))).toBe(String(indexOf(lrp)));
      expect(lrp.availability_zone).toBe('z1');
      expect(lrp.routable).toBe(true);
      expect(lrp.actual_lrp_net_info?.ports).toMatchObject([{ container_port: 8080 }]);
      expect(lrp.metric_tags).toMatchObject({ instance_id: String(indexOf(lrp)), process_instance_id: guidOf(lrp) });
    }
    expect(blobs.asked.get('/behave.tgz')).toBe(1);
    await control.scale(process_guid, 5);
    await control.running(process_guid, 5, 120_000);
    await control.scale(process_guid, 1);
    const [last] = await control.running(process_guid, 1);
    expect(last && indexOf(last)).toBe(0);
    await control.remove(process_guid);
    await control.gone(process_guid);
    await until('no machine', async () => ((await machines()) === 0 ? true : undefined));
    await until('no folder', async () => {
      const left = await readdir(join(unik.home, 'machines')).catch(() => []);
      return left.length === 0 ? true : undefined;
    });
  }, 300_000);

  test('the instance sees what Diego gives a container', async () => {
    const process_guid = 'sees';
    await control.desire({ process_guid, droplet, env: { GREETING: 'he said "a=b, c" 🙂\nand left' } });
    const [lrp] = await control.running(process_guid, 1);
    if (!lrp) throw new Error('none');
    const env = (name: string): Promise<string> => fetchUntil200(`${urlOf(lrp)}/env/${name}`);
    expect(await env('GREETING')).toBe('he said "a=b, c" 🙂\nand left');
    expect(await env('CF_INSTANCE_GUID')).toBe(guidOf(lrp));
    expect(await env('INSTANCE_GUID')).toBe(guidOf(lrp));
    expect(await env('CF_INSTANCE_INDEX')).toBe('0');
    expect(await env('CF_INSTANCE_IP')).toBe(lrp.actual_lrp_net_info?.address);
    expect(await env('CF_INSTANCE_INTERNAL_IP')).toBe(lrp.actual_lrp_net_info?.instance_address);
    const [port] = lrp.actual_lrp_net_info?.ports ?? [];
    expect(JSON.parse(await env('CF_INSTANCE_PORTS'))).toEqual([{ external: port?.host_port, internal: 8080 }]);
    expect(await env('CF_INSTANCE_ADDR')).toBe(`${lrp.actual_lrp_net_info?.address}:${port?.host_port}`);
    await control.bbs.call('update_lrp', {
      process_guid,
      update: {
        routes: { routes: { 'internal-router': Buffer.from('[{"hostname":"sees.apps.internal"}]') } },
        metric_tags: { app_name: { static: 'renamed' } },
      },
    });
    await control.one(
      process_guid,
      'new internal route and tag',
      (now) =>
        now.actual_lrp_internal_routes[0]?.hostname === 'sees.apps.internal' &&
        now.metric_tags['app_name'] === 'renamed',
    );
    await control.remove(process_guid);
    await control.gone(process_guid);
  }, 180_000);

  const ends: { name: string; path: string; reason: RegExp; interval_ms?: number; memory_mb?: number }[] = [
    { name: 'exits 1', path: '/exit/1', reason: /^APP\/PROC\/WEB: Exited with status 1$/ },
    { name: 'exits 0', path: '/exit/0', reason: /^Codependent step exited$/ },
    { name: 'closes its port', path: '/deaf', reason: /^Instance became unhealthy: .*failed to make TCP connection/ },
    { name: 'is out of memory', path: '/eat', reason: /^APP\/PROC\/WEB: Exited with status 137 \(out of memory\)$/ },
  ];
  test.each(ends)(
    'an instance that $name crashes, is restarted, and backs off the third time',
    async ({ name, path, reason }) => {
      const process_guid = name.replaceAll(' ', '-');
      await control.desire({ process_guid, droplet, interval_ms: 1_000 });
      for (const count of [1, 2, 3]) {
        const [lrp] = await control.running(process_guid, 1);
        if (!lrp) throw new Error('none');
        expect(lrp.crash_count).toBe(count - 1);
        await fetchUntil200(`${urlOf(lrp)}${path}`);
        const crashed = await control.one(process_guid, `crash ${count}`, (now) => now.crash_count === count);
        expect(crashed.crash_reason).toMatch(reason);
      }
      const off = await control.one(process_guid, 'CRASHED', ({ state }) => state === 'CRASHED');
      expect(guidOf(off)).toBe('');
      await control.remove(process_guid);
      await control.gone(process_guid);
    },
    240_000,
  );

  test('a machine whose QEMU is killed is a crash like any other', async () => {
    const process_guid = 'shot';
    await control.desire({ process_guid, droplet });
    const [lrp] = await control.running(process_guid, 1);
    if (!lrp) throw new Error('none');
    const line = (await processesOf(unik.home)).find((entry) => entry.includes(guidOf(lrp)) && /qemu/.test(entry));
    process.kill(Number.parseInt(line ?? '', 10), 'SIGKILL');
    const crashed = await control.one(process_guid, 'crash', ({ crash_count }) => crash_count === 1);
    expect(crashed.crash_reason).toMatch(/Exited with status 137/);
    const [again] = await control.running(process_guid, 1);
    expect(again && guidOf(again)).not.toBe(guidOf(lrp));
    await control.remove(process_guid);
    await control.gone(process_guid);
  }, 180_000);

  test('one that never listens never runs', async () => {
    const process_guid = 'deaf';
    await control.desire({ process_guid, droplet, command: './behave deaf', start_timeout_ms: 6_000 });
    const crashed = await control.one(process_guid, 'crash', ({ crash_count }) => crash_count === 1);
    expect(crashed.crash_reason).toMatch(
      /^Instance never healthy after 6\S*s: Timed out after 6\S*s \(\d+ attempts\) waiting for startup check to succeed: failed to make TCP connection to \S+:8080/,
    );
    await control.remove(process_guid);
    await control.gone(process_guid);
  }, 120_000);

  test.each([
    ['cannot be fetched', { url: 'http://127.0.0.1:9/none', sha256: '0'.repeat(64) }, /Downloading droplet failed/],
    ['has no image', undefined, /image/],
  ])(
    'a droplet that %s is a crash that says so',
    async (name, given, reason) => {
      const process_guid = name.replaceAll(' ', '-');
      const plain = blobs.add('plain.tgz', PLAIN_DROPLET);
      await control.desire({ process_guid, droplet: given ?? plain });
      // Three crashes may take less than a look at the BBS; what stays is the back-off after them.
      const crashed = await control.one(process_guid, 'CRASHED', ({ state }) => state === 'CRASHED', 120_000);
      expect(crashed.crash_count).toBeGreaterThanOrEqual(3);
      expect(crashed.crash_reason).toMatch(reason);
      if (given === undefined) expect(crashed.crash_reason).toContain('cf restage');
      await control.remove(process_guid);
      await control.gone(process_guid);
    },
    180_000,
  );

  test('the egress rules of the LRP hold', async () => {
    const process_guid = 'walled';
    await control.desire({
      process_guid,
      droplet,
      egress: [{ protocol: 'tcp', destinations: ['192.0.2.0/24'], port_range: { start: 1, end: 65_535 } }],
    });
    const [lrp] = await control.running(process_guid, 1);
    if (!lrp) throw new Error('none');
    const bbsPort = new URL(diego.bbs_url).port;
    for (const target of [`127.0.0.1/${bbsPort}`, '169.254.169.254/80', '198.51.100.1/80']) {
      expect(await fetchUntil200(`${urlOf(lrp)}/reach/${target}`)).toBe('closed');
    }
    await control.remove(process_guid);
    await control.gone(process_guid);
  }, 120_000);

  test('what does not fit says which resource', async () => {
    await control.desire({ process_guid: 'huge', droplet, memory_mb: 900_000 });
    const lrp = await control.one('huge', 'placement error', ({ placement_error }) => placement_error !== '');
    expect(lrp.placement_error).toBe('insufficient resources: memory');
    await control.desire({ process_guid: 'odd', droplet, stack: 'windows' });
    const odd = await control.one('odd', 'placement error', ({ placement_error }) => placement_error !== '');
    expect(odd.placement_error).toBe('found no compatible cell for required rootfs');
    for (const process_guid of ['huge', 'odd']) {
      await control.remove(process_guid);
      await control.gone(process_guid);
    }
  }, 60_000);
});

/** A droplet staged for containers: `./app/index.html` and `./staging_info.yml`. */
const PLAIN_DROPLET = Buffer.from(
  'H4sIAAAAAAACA+3U3QqDIBQHcB9leD20Igr2MmJqdViaNIPG2LvvbFejm10VjM7v5vgFB8S/QuoYJQTrFtEnP7ANZKgqy09F64qKrzGu53i8ZqeM7WC+JT1he3ZMPTByYELi++8gdApCO4r7Fj/Az/xX9Sr/eVFT/nfx4NYlZ5KzqplhsFGbK79wvJQEpoXB8fN7MiVlRu91sLi58CcFhxBC/twL/SgtEgAMAAA=',
  'base64',
);

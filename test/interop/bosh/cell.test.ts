/** The job `unik-cell` as BOSH runs it: compiled, rendered, started, drained, upgraded, without anything of the host's. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFileSync, statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { behaveDroplet, serveBlobs, type Blobs } from '../../support/cell/bits.js';
import { controlOf, urlOf, type Control } from '../../support/cell/control.js';
import type { Droplet } from '../../support/cell/desired.js';
import { freePorts } from '../../support/diego/children.js';
import type { Diego } from '../../support/diego/diego.js';
import { startEmbeddedDiego } from '../../support/diego/embedded.js';
import { makeUnik, until, type Unik } from '../../support/unik.js';
import { exposures } from '../../support/bosh/secrets.js';
import { AGENT, EMITTER } from '../../support/bosh/table.js';
import { nested } from '../../support/bosh/templates.js';
import { CELL_PACKAGES, fillRelease, qemus, Vm } from '../../support/bosh/vm.js';

const JOB = 'unik-cell';
const APP_SECRET = 'planted-in-the-environment';
const NATS_PASSWORD = 'planted-for-nats';
const root = process.getuid?.() === 0;
if (!root) process.stderr.write('skipped: the job unik-cell: a VM of BOSH needs root for its mount namespace\n');

(root ? describe : describe.skip)('the job unik-cell', () => {
  let diego: Diego;
  let control: Control;
  let unik: Unik;
  let blobs: Blobs;
  let droplet: Droplet;
  let first: Vm;
  let second: Vm;

  const manifest = async (): Promise<Record<string, unknown>> => {
    const [rep = 0, admin = 0, status = 0] = await freePorts(3);
    const pem = (file: string): string => readFileSync(file, 'utf8');
    return nested({
      'tls.ca_cert': pem(diego.certs.ca),
      'tls.cert': pem(diego.certs.cert),
      'tls.key': pem(diego.certs.key),
      'diego.rep.bbs.api_location': diego.bbs_url.replace('https://', ''),
      'diego.rep.locket.api_location': diego.locket_address,
      'diego.rep.listen_addr_admin': `127.0.0.1:${admin}`,
      'diego.rep.listen_addr_securable': `127.0.0.1:${rep}`,
      'diego.rep.advertise_preference_for_instance_address': true,
      // Two VMs, one network.
      'unik.status_port': status,
      'diego.rep.polling_interval_in_seconds': 2,
      'diego.rep.evacuation_polling_interval_in_seconds': 1,
      'diego.rep.evacuation_timeout_in_seconds': 120,
      'diego.executor.memory_capacity_mb': 1_024,
      'diego.executor.disk_capacity_mb': 10_240,
    });
  };
  const boot = async (id: string, build: string): Promise<Vm> => {
    const vm = await Vm.start();
    await vm.compile(CELL_PACKAGES(), build);
    vm.install(JOB, await manifest(), { id, ip: '127.0.0.1' });
    return vm;
  };
  const start = async (vm: Vm): Promise<string> => {
    const prepared = await vm.script(JOB, 'pre-start');
    expect({ code: prepared.code, stderr: prepared.code ? prepared.stderr : '' }).toEqual({ code: 0, stderr: '' });
    await vm.monit(JOB, 'start');
    const ready = await vm.script(JOB, 'post-start');
    if (ready.code !== 0) throw new Error(`${ready.stderr}\n${vm.read(`sys/log/${JOB}/${JOB}.stderr.log`)}`);
    return prepared.stdout;
  };
  const drain = async (vm: Vm): Promise<void> => {
    const done = await vm.script(JOB, 'drain', ['job_shutdown', 'hash_unchanged'], 300_000);
    const told = done.code === 0 ? '' : vm.read(`sys/log/${JOB}/drain.log`);
    expect({ code: done.code, stdout: done.stdout, told }).toEqual({ code: 0, stdout: '0', told: '' });
  };

  /** Of what a cell is told; each is looked for by the part of it that is nowhere else. */
  const secrets = (): Record<string, string> => ({
    'private key': readFileSync(diego.certs.key, 'utf8').split('\n')[1] ?? '',
    'password of NATS': NATS_PASSWORD,
    'environment of an application': APP_SECRET,
  });

  /** As a router does it: the next instance when one takes no connection. */
  const askAsRouter = async (name: string): Promise<unknown> => {
    let last: unknown = 'no instance';
    for (const lrp of (await control.lrps(name)).filter(({ state }) => state === 'RUNNING')) {
      last = await fetch(urlOf(lrp)).then(
        (reply) => reply.status,
        (err: unknown) => String(err),
      );
      if (last === 200) break;
    }
    return last;
  };

  beforeAll(async () => {
    fillRelease();
    unik = await makeUnik();
    blobs = await serveBlobs();
    droplet = blobs.add('behave.tgz', await behaveDroplet(unik));
    await unik(['down']);
    diego = await startEmbeddedDiego();
    control = await controlOf(diego);
    first = await boot('cell_one', 'build-1');
    second = await boot('cell_two', 'build-1');
  }, 600_000);
  afterAll(async () => {
    for (const vm of [first, second]) {
      await vm.monit(JOB, 'stop');
      await vm.close();
    }
    for (const pid of qemus()) process.kill(pid, 'SIGKILL');
    await control.close();
    await diego.close();
    blobs.close();
    await unik.close();
  }, 120_000);

  test.each(CELL_PACKAGES().filter((name) => !['unik', 'unik-kernels'].includes(name)))(
    'the programs of %s start in a root tree that has nothing else',
    async (name) => {
      const programs = await readdir(join(first.dir, 'data/packages', name, 'build-1/bin'));
      expect(programs.length).toBeGreaterThan(0);
      for (const program of programs) {
        const words: Record<string, string> = { ip: '-V', mke2fs: '-V', busybox: 'true', 'mkfs.erofs': '--help' };
        const script = `
          set -e; tree=$(mktemp -d); trap 'umount "$tree/var/vcap" && rm -r "$tree"' EXIT
          mkdir -p "$tree/var/vcap"; mount --bind /var/vcap "$tree/var/vcap"
          chroot "$tree" /var/vcap/packages/${name}/bin/${program} ${words[program] ?? '--version'}`;
        const done = await first.run(['bash', '-c', script]);
        expect({ program, code: done.code, stderr: done.code ? done.stderr : '' }).toEqual({
          program,
          code: 0,
          stderr: '',
        });
      }
    },
    60_000,
  );

  test('no rendered file is for others, and one of them alone holds the key', async () => {
    const key = readFileSync(diego.certs.key, 'utf8').split('\n')[1] ?? 'none';
    const files = await readdir(join(first.dir, 'data/jobs'), { recursive: true, withFileTypes: true });
    const holding = [];
    for (const entry of files.filter((one) => one.isFile())) {
      const file = join(entry.parentPath, entry.name);
      if ((await readFile(file, 'utf8')).includes(key)) holding.push(file);
      expect(`${file} ${(statSync(file).mode & 0o007).toString(8)}`).toBe(`${file} 0`);
    }
    expect(holding.map((file) => file.split('/').at(-1))).toEqual(['cell.key']);
  });

  test.each(['first', 'second'])(
    'the %s time: started, an LRP answers, a restart keeps its machine, a drain moves it without a failed request',
    async (time) => {
      const said = await start(first);
      expect(said).toMatch(/^kernel linux linux-virtio-1 /m);
      expect(said).toMatch(/^provider qemu: /m);
      const name = `app-${time}`;
      const env = { VCAP_SERVICES: JSON.stringify({ db: [{ credentials: { password: APP_SECRET } }] }) };
      await control.desire({ process_guid: name, droplet, instances: 2, env });
      const running = await control.running(name, 2, 120_000);
      const pids = qemus().sort();
      expect(pids).toHaveLength(2);

      await first.monit(JOB, 'stop');
      for (const lrp of running) expect((await fetch(urlOf(lrp))).status).toBe(200);
      await start(first);
      await control.running(name, 2, 60_000);
      expect(qemus().sort()).toEqual(pids);
      expect(exposures(first.dir, secrets())).toEqual([]);

      await start(second);
      const failed: string[] = [];
      let asked = 0;
      let stop = false;
      const clients = [0, 1].map(async () => {
        while (!stop) {
          const status = await askAsRouter(name);
          asked++;
          if (status !== 200) failed.push(String(status));
        }
      });
      await drain(first);
      stop = true;
      await Promise.all(clients);
      expect(failed).toEqual([]);
      expect(asked).toBeGreaterThan(10);
      await first.monit(JOB, 'stop');
      const moved = await control.running(name, 2, 10_000);
      expect(moved.map((lrp) => lrp.actual_lrp_instance_key?.cell_id)).toEqual(['cell_two', 'cell_two']);
      expect(first.read(`sys/log/${JOB}/drain.log`)).toMatch(/instances and \d+ tasks left/);
      expect(await readdir(join(first.dir, 'data/unik-cell/machines'))).toEqual([]);

      await control.remove(name);
      await control.gone(name, 60_000);
      await drain(second);
      await second.monit(JOB, 'stop');
      expect(qemus()).toEqual([]);
      for (const vm of [first, second]) expect(exposures(vm.dir, secrets())).toEqual([]);
    },
    600_000,
  );

  test('an upgrade: drained, the second build in its place, the LRP back', async () => {
    await start(first);
    await start(second);
    await control.desire({ process_guid: 'kept', droplet, instances: 1 });
    await control.running('kept', 1, 120_000);
    for (const vm of [first, second]) {
      await drain(vm);
      await vm.monit(JOB, 'stop');
      await vm.compile(CELL_PACKAGES(), 'build-2');
      await start(vm);
      await until('the instance runs', async () =>
        (await control.running('kept', 1, 60_000)).length === 1 ? true : undefined,
      );
    }
    expect(await first.ok(['readlink', '/var/vcap/packages/unik'])).toContain('build-2');
    await control.remove('kept');
    await control.gone('kept', 60_000);
    for (const vm of [first, second]) {
      await drain(vm);
      await vm.monit(JOB, 'stop');
    }
    expect(qemus()).toEqual([]);
  }, 600_000);

  test('with a NATS and an agent of its own, no secret is on a command line, in a log or in a file for others', async () => {
    const pem = (file: string): string => readFileSync(file, 'utf8');
    const { ca, cert, key } = diego.certs;
    const more = nested({ ...EMITTER, ...AGENT, 'unik.routes.nats.cert': pem(cert), 'unik.routes.nats.key': pem(key) });
    const agent = { ca_cert: pem(ca), cert: pem(cert), key: pem(key) };
    const base = await manifest();
    const told = {
      ...{ ...base, loggregator: { ...(more['loggregator'] as object), ...agent } },
      unik: { ...(base['unik'] as object), ...(more['unik'] as object) },
    };
    const nats = { hostname: '127.0.0.1', port: 1, user: 'nats', password: NATS_PASSWORD };
    const link = { address: '127.0.0.1', properties: { nats: { ...nats, external: { tls: { ca: pem(ca) } } } } };
    first.install(JOB, told, { id: 'cell_one', ip: '127.0.0.1' }, { 'nats-tls': link });
    expect(first.read(`data/jobs/${JOB}/config/nats_password`)).toContain(NATS_PASSWORD);
    await start(first);
    const log = (): string => first.read(`sys/log/${JOB}/${JOB}.stderr.log`);
    await until('NATS to be tried', () => Promise.resolve(log().includes('nats.unreachable') ? true : undefined));
    expect(exposures(first.dir, secrets())).toEqual([]);
    await drain(first);
    await first.monit(JOB, 'stop');
    expect(exposures(first.dir, secrets())).toEqual([]);
  }, 240_000);

  test('a drain of a cell that does not run says so and lets BOSH go on', async () => {
    await drain(first);
    expect(first.read(`sys/log/${JOB}/drain.log`)).toMatch(/not running/);
  });
});

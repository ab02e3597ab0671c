/** The jobs beside the cell, as BOSH runs them: classic stager, lifecycle, cf plug-in, buildpack. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { controlOf, type Control } from '../../support/cell/control.js';
import { freePorts } from '../../support/diego/children.js';
import type { Diego } from '../../support/diego/diego.js';
import { startEmbeddedDiego } from '../../support/diego/embedded.js';
import { startMonit } from '../../support/bosh/monit.js';
import { exposures } from '../../support/bosh/secrets.js';
import { jobSpec, nested } from '../../support/bosh/templates.js';
import { fillRelease, Vm } from '../../support/bosh/vm.js';
import { describePeer } from '../../support/peers.js';
import { until } from '../../support/unik.js';

const JOBS = ['unik-stager', 'unik-lifecycle', 'unik-cf-plugin', 'unik-buildpack'];
const PASSWORD = 'pass word of cc';
const root = process.getuid?.() === 0;
if (!root) process.stderr.write('skipped: jobs beside the cell: a VM of BOSH needs root for its mount namespace\n');

(root ? describe : describe.skip)('jobs beside the cell', () => {
  let diego: Diego;
  let control: Control;
  let vm: Vm;
  const pem = (file: string): string => readFileSync(file, 'utf8');
  const packageDir = (job: string): string => join(vm.dir, 'data/packages', job, 'build-1');

  beforeAll(async () => {
    fillRelease();
    diego = await startEmbeddedDiego();
    control = await controlOf(diego);
    vm = await Vm.start();
    await vm.compile([...new Set(JOBS.flatMap((job) => jobSpec(job).packages))], 'build-1');
  }, 600_000);
  afterAll(async () => {
    await vm.close();
    await control.close();
    await diego.close();
  });

  const installed = (job: string, properties: Record<string, unknown>): void => {
    vm.install(job, nested(properties), { id: 'one', ip: '127.0.0.1' });
    vm.installBpm(job);
  };
  const stopped = async (job: string): Promise<void> => {
    const pid = vm.read(`sys/run/bpm/${job}/${job}.pid`).trim();
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^Uid:\t61001\t61001\t/m);
    await vm.monit(job, 'stop');
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    expect(existsSync(join(vm.dir, `sys/run/bpm/${job}/${job}.pid`))).toBe(false);
    expect(vm.read(`sys/log/${job}/${job}.stderr.log`)).not.toMatch(/"level":(50|60|"error"|"fatal")/);
  };
  const fetched = (url: string): Promise<{ status: number; body: Buffer }> =>
    new Promise((resolve, reject) => {
      get(url, { ca: pem(diego.certs.ca), agent: false }, (reply) => {
        buffer(reply).then((body) => resolve({ status: reply.statusCode ?? 0, body }), reject);
      }).on('error', reject);
    });

  test.each([
    ['unik-lifecycle', 'unik_app_lifecycle.tgz'],
    ['unik-cf-plugin', 'cf-unik-plugin'],
  ])(
    '%s serves %s by HTTPS, twice in a row, and nothing else',
    async (job, name) => {
      const [port = 0] = await freePorts(1);
      const tls = { 'tls.cert': pem(diego.certs.cert), 'tls.key': pem(diego.certs.key) };
      installed(job, { ...tls, 'unik.files.listen_addr': `127.0.0.1:${port}` });
      for (let time = 0; time < 2; time++) {
        await vm.monit(job, 'start');
        const whole = await until('the file', () =>
          fetched(`https://127.0.0.1:${port}/${name}`).catch(() => undefined),
        );
        expect(whole.status).toBe(200);
        expect(whole.body.equals(readFileSync(join(packageDir(job), name)))).toBe(true);
        for (const path of ['', '/', '/other', '/..%2f..%2fjobs', '/../../jobs/bpm/bin/bpm'])
          expect((await fetched(`https://127.0.0.1:${port}${path}`)).status).toBe(404);
        expect(exposures(vm.dir, { key: pem(diego.certs.key).split('\n')[1] ?? '' })).toEqual([]);
        await stopped(job);
      }
    },
    120_000,
  );

  test('unik-stager makes a task of a request, with the lifecycle of the stack, and is stopped', async () => {
    const [port = 0] = await freePorts(1);
    installed('unik-stager', {
      'unik.stager.listen_addr': `127.0.0.1:${port}`,
      'unik.stager.bbs.api_location': diego.bbs_url.replace('https://', ''),
      'unik.stager.bbs.ca_cert': pem(diego.certs.ca),
      'unik.stager.bbs.client_cert': pem(diego.certs.cert),
      'unik.stager.bbs.client_key': pem(diego.certs.key),
      'unik.stager.cloud_controller.password': PASSWORD,
      'unik.stager.cloud_controller.ca_cert': pem(diego.certs.ca),
      'unik.stager.lifecycles': { unik: 'https://files/unik.tgz' },
    });
    await vm.monit('unik-stager', 'start');
    const request = {
      ...{ app_id: 'app', file_descriptors: 1024, memory_mb: 64, disk_mb: 64, timeout: 60, environment: [] },
      ...{ log_guid: 'app', lifecycle: 'buildpack' },
      lifecycle_data: {
        ...{
          stack: 'unik',
          buildpacks: [],
          droplet_upload_uri: 'http://cc/droplet',
          app_bits_download_uri: 'http://b',
        },
        build_artifacts_cache_upload_uri: 'http://cc/cache',
      },
    };
    const put = { method: 'PUT', body: JSON.stringify(request) };
    const reply = await until('an answer', () =>
      fetch(`http://127.0.0.1:${port}/v1/staging/staging-1`, put).catch(() => undefined),
    );
    expect(reply.status).toBe(202);
    const task = await control.task('staging-1', () => true);
    expect(JSON.stringify(task, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))).toContain(
      'https://files/unik.tgz',
    );
    expect(task.task_definition?.completion_callback_url).toContain(`http://127.0.0.1:${port}/`);
    const key = pem(diego.certs.key).split('\n')[1] ?? '';
    expect(exposures(vm.dir, { key, password: PASSWORD })).toEqual([]);
    await stopped('unik-stager');
  }, 120_000);

  describePeer('monit', ['monit'], () => {
    test('starts a job by its monit file, brings a killed process back, and stops it', async () => {
      const job = 'unik-lifecycle';
      const [port = 0] = await freePorts(1);
      const tls = { 'tls.cert': pem(diego.certs.cert), 'tls.key': pem(diego.certs.key) };
      installed(job, { ...tls, 'unik.files.listen_addr': `127.0.0.1:${port}` });
      const url = `https://127.0.0.1:${port}/unik_app_lifecycle.tgz`;
      const status = (): Promise<number> =>
        fetched(url).then(
          (reply) => reply.status,
          () => 0,
        );
      const pid = (): string => {
        const file = join(vm.dir, `sys/run/bpm/${job}/${job}.pid`);
        return existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
      };
      const monit = await startMonit(vm, [job]);
      try {
        await until('an answer', async () => ((await status()) === 200 ? true : undefined));
        const first = pid();
        process.kill(Number(first), 'SIGKILL');
        await until('another process', () => Promise.resolve(pid() !== first ? true : undefined));
        await until('an answer', async () => ((await status()) === 200 ? true : undefined));
        await monit.ask('stop', job);
        await until('its end', async () => ((await status()) === 0 && pid() === '' ? true : undefined));
        // It stays stopped: what is stopped is not watched. Monit tells so after its next look.
        await until('its watch ends', async () =>
          /Not monitored/i.test(await monit.ask('summary', job)) ? true : undefined,
        );
        expect(await status()).toBe(0);
      } finally {
        await monit.stop();
      }
    }, 120_000);
  });

  test('unik-buildpack starts nothing, and holds the one zip file that Cloud Controller takes', () => {
    vm.install('unik-buildpack', {}, { id: 'api' });
    expect(readdirSync(packageDir('unik-buildpack'))).toEqual(['unik_buildpack.zip']);
    expect(
      readFileSync(join(packageDir('unik-buildpack'), 'unik_buildpack.zip'))
        .subarray(0, 2)
        .toString(),
    ).toBe('PK');
  });
});

/** Containers of the cell over real machines: droplets by HTTP, an LRP from run to delete, a task with its result. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { Container, RunOrder } from '../../../backend/cell/model.js';
import { hostBase, type BaseTree } from '../../../backend/cell/images/base-tree.js';
import { composingWhereNeeded, createComposer } from '../../../backend/cell/images/compose-at-start.js';
import { createDroplets } from '../../../backend/cell/images/droplets.js';
import { CellContainers } from '../../../backend/cell/store/cell-containers.js';
import { createWords } from '../../../backend/convert/words.js';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { linux } from '../../../executor/guests/linux/index.js';
import { packDroplet } from '../../../executor/images/droplet.js';
import { ImageStore } from '../../../executor/images/store.js';
import { guestRamMb } from '../../../executor/kernels/ram.js';
import { createExecutor } from '../../../executor/runner.js';
import type { Executor } from '../../../executor/executor.js';
import { createFetcher } from '../../../stager/actions/fetch.js';
import { buildImage } from '../../../stager/build.js';
import { anOrder, aReservation, Heard, is, untilContainer } from '../../support/cell.js';
import { OWNER } from '../../support/executor.js';
import { buildBehave } from '../../support/fixture-apps.js';
import { testKernel, whyNoGuest } from '../../support/guest.js';
import { leftovers } from '../../support/qemu.js';
import { makeProvider } from '../../support/qemu-provider.js';

const missing = whyNoGuest();
if (missing !== undefined) process.stderr.write(`skipped: containers over real machines: ${missing}\n`);
const mode = process.getuid?.() === 0 ? 'tap' : 'isolated';

(missing === undefined ? describe : describe.skip)('containers over real machines', () => {
  let home: string;
  let server: Server;
  let downloads: number;
  let order: (over?: Partial<RunOrder>) => RunOrder;
  let provider: ReturnType<typeof makeProvider>;
  let executor: Executor;
  let containers: CellContainers;
  let fetcher: ReturnType<typeof createFetcher>;
  const heard = new Heard();

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'unik-cell-'));
    const kernel = await testKernel();
    // Made elsewhere: nothing of it is in the cell's own store.
    const image = await buildImage({
      ...{ source: buildBehave(join(home, 'app')), store: new ImageStore(join(home, 'staged')) },
      ...{ work: join(home, 'work'), progress: () => undefined, env: process.env },
    });
    const out = new PassThrough();
    const [droplet] = await Promise.all([buffer(out), packDroplet(image, out)]);
    downloads = 0;
    const asset = pack();
    asset.entry({ name: 'hello.sh', mode: 0o755 }, 'echo "hello from $(id -un)"; id -u >$HOME/told; exit 0');
    asset.finalize();
    const tools = gzipSync(await buffer(asset));
    server = createServer(({ url }, response) => {
      if (url === '/tools') return void response.end(tools);
      downloads++;
      response.end(droplet);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const value = createHash('sha256').update(droplet).digest('hex');
    const from = `http://127.0.0.1:${(server.address() as AddressInfo).port}/droplet`;
    const health = anOrder().health;
    order = (over) =>
      anOrder({
        downloads: [
          {
            artifact: 'droplet',
            from,
            to: '/',
            cache_key: value,
            log_source: 'CELL',
            checksum: { algorithm: 'sha256', value },
          },
        ],
        health: {
          ...health,
          startup: [{ kind: 'http', port: 8080, path: '/', timeout_ms: 2_000 }],
          startup_interval_ms: 200,
        },
        ...over,
      });
    const open = async (): Promise<void> => {
      provider = makeProvider(home);
      executor = createExecutor({
        ...{ owner: OWNER, home, log: noLog, clock: systemClock },
        images: new ImageStore(join(home, 'images')),
        kernels: { pick: async () => kernel },
        guests: new Map([['linux', linux]]),
        providers: new Map([['qemu', provider]]),
        capacity: () => ({ memory_mb: 4096, disk_mb: 4096, machines: 5 }),
        lateEnv: (spec, where) => containers.lateEnv(spec, where),
      });
      const store = new ImageStore(join(home, 'images'));
      const base = async (): Promise<BaseTree> => hostBase(process.env['PATH'] ?? '', 'x86_64');
      fetcher = createFetcher({ folder: join(home, 'fetch'), max_bytes: 1e9, clock: systemClock, log: noLog });
      containers = new CellContainers({
        ...{ owner: OWNER, provider: 'qemu', home: join(home, 'cell'), executor, sink: heard },
        ...{
          clock: systemClock,
          log: noLog,
          words: createWords('cell-1'),
          address: '127.0.0.1',
          publish_address: '127.0.0.1',
        },
        images: composingWhereNeeded(
          createDroplets({ store, fetcher, dir: join(home, 'cell/droplets') }),
          createComposer({ store, fetcher, dir: join(home, 'cell/composed'), arch: 'x86_64', base }),
        ),
        network: async () => ({ mode, dns: [], deny: [] }),
        overheadMb: (memory_mb) => guestRamMb(kernel, memory_mb) - memory_mb + provider.overheadMb(),
      });
      await containers.recover();
    };
    reopen = async () => {
      await close();
      await open();
    };
    await open();
  }, 180_000);
  let reopen: () => Promise<void>;
  const close = async (): Promise<void> => {
    await containers.close();
    await executor.close();
    provider.close();
    await fetcher.close();
  };
  afterAll(async () => {
    await Promise.all(containers.list().map(({ reservation }) => containers.delete(reservation.guid)));
    await close();
    server.close();
    expect(await leftovers(home)).toEqual([]);
    await rm(home, { recursive: true, force: true });
  }, 60_000);

  const until = (guid: string, test: (container: Container | undefined) => boolean): Promise<Container | undefined> =>
    untilContainer(containers, guid, test);

  test('an LRP runs, answers, outlives us, stops and is gone', async () => {
    containers.reserve(aReservation('lrp-1'));
    containers.run('lrp-1', order());
    expect(await until('lrp-1', (one) => is('running')(one) || is('completed')(one))).toMatchObject({
      state: 'running',
    });
    const net = containers.netInfo('lrp-1');
    const port = net?.ports[0]?.host_port ?? 0;
    const ask = async (path: string): Promise<string> => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
    expect(await ask('/env/CF_INSTANCE_PORTS')).toBe(JSON.stringify([{ external: port, internal: 8080 }]));
    expect(await ask('/env/CF_INSTANCE_INTERNAL_IP')).toBe(net?.instance_address);
    await reopen();
    expect(containers.get('lrp-1')).toMatchObject({ state: 'running', net });
    await ask('/say/hello');
    expect(await containers.usage('lrp-1')).toMatchObject({ memory_quota_bytes: 64 * 2 ** 20 });
    containers.stop('lrp-1');
    expect(await until('lrp-1', is('completed'))).toMatchObject({ stopped: true, outcome: { reason: 'cancelled' } });
    await containers.delete('lrp-1');
    expect(await readdir(join(home, 'machines'))).toEqual([]);
    expect(heard.lines).toEqual(
      expect.arrayContaining([
        'CELL out Downloading droplet...',
        'CELL out Container became healthy',
        'APP/PROC/WEB out hello',
        'APP/PROC/WEB err hello',
      ]),
    );
  }, 120_000);

  test('a task runs a program to its end and gives its result; the droplet was fetched once', async () => {
    const { lrp: _, ...reservation } = { ...aReservation('task-1'), kind: 'task' as const, domain: 'tests', lrp: 0 };
    containers.reserve(reservation);
    const { launch, health } = order();
    containers.run(
      'task-1',
      order({
        launch: { ...launch, command: { kind: 'program', argv: ['/home/vcap/app/behave', 'exit', '0'] }, user: 'root' },
        ...{ health: { ...health, startup: [] }, ports: [] },
        ...{ files: { '/etc/cf-service-bindings/told': 'forty-two' }, result_file: '/etc/cf-service-bindings/told' },
      }),
    );
    const ended = await until('task-1', is('completed'));
    expect(ended).toMatchObject({ outcome: { failed: false, reason: '', result: 'forty-two' } });
    await containers.delete('task-1');
    expect(downloads).toBe(1);
  }, 60_000);

  test.each([
    ['vcap', '2000\n'],
    ['root', '0\n'],
  ])(
    'an order of others runs a shell as %s, with its downloads in place',
    async (user, told) => {
      const guid = `shell-${user}`;
      const [{ from } = { from: '' }, { launch, health }] = [order().downloads[0], order()];
      const { lrp: _, ...reservation } = { ...aReservation(guid), kind: 'task' as const, domain: 'tests', lrp: 0 };
      containers.reserve(reservation);
      const argv = ['bash', '-c', '/bin/bash /tmp/tools/hello.sh'];
      const tools = { artifact: 'tools', from: from.replace('/droplet', '/tools'), to: '/tmp/tools', cache_key: '' };
      containers.run(
        guid,
        order({
          downloads: [{ ...tools, log_source: 'CELL' }],
          launch: { ...launch, user, command: { kind: 'program', argv }, env: [['HOME', '/tmp']] },
          ...{ health: { ...health, startup: [] }, ports: [], result_file: '/tmp/told' },
        }),
      );
      const ended = await until(guid, is('completed'));
      expect(ended).toMatchObject({ outcome: { failed: false, result: told } });
      await containers.delete(guid);
      expect(heard.lines).toContain(`APP/PROC/WEB out hello from ${user}`);
    },
    60_000,
  );
});

/** The doors of a cell as Diego's own clients knock (test/fixtures/diego/rep), and as nobody should. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { UnikError } from '../../../core/errors.js';
import { anLrp, anOrder, aTask } from '../../support/cell/samples.js';
import { ask, clientOf, openDoors, type Answer, type Doors } from '../../support/cell/doors.js';
import { writeCerts, type CertFiles } from '../../support/diego/certs.js';
import { root } from '../../support/unik.js';

let dir: string;
let certs: CertFiles;
let doors: Doors;
let good: Awaited<ReturnType<typeof clientOf>>;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'unik-doors-'));
  certs = await writeCerts(dir);
  good = await clientOf(certs.ca, certs);
}, 60_000);
afterAll(() => rm(dir, { recursive: true, force: true }));
beforeEach(async () => {
  doors = await openDoors(certs);
});
afterEach(() => doors.close());

const TRACE = { 'X-Vcap-Request-Id': 'trace-1' };
const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  ask(
    { ...good, port: doors.network.port, method, path, headers },
    body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
  );
const admin = (method: string, path: string): Promise<Answer> => ask({ ...good, port: doors.admin.port, method, path });
/** It still serves, and holds nothing open. */
const sound = async (): Promise<void> => expect(await call('GET', '/state')).toMatchObject({ status: 200 });

interface Recorded {
  request_line: string;
  request_headers: string[];
  body: string;
  response_status: number;
}

describe('what Diego sends is answered as it expects', () => {
  const named = (name: string) => readFile(join(root, 'test/fixtures/diego/rep', `${name}.json`), 'utf8');
  async function replay(name: string): Promise<Answer> {
    const { request_line, request_headers, body } = JSON.parse(await named(name)) as Recorded;
    const [method = '', path = ''] = request_line.split(' ');
    const headers: Record<string, string> = {};
    for (let at = 0; at < request_headers.length; at += 2)
      headers[request_headers[at] ?? ''] = request_headers[at + 1] ?? '';
    return call(method, path, body === '' ? undefined : body, headers);
  }

  test.each(['go-client-GET-state', 'state', 'state-no-trace'])('%s', async (name) => {
    const { status, text } = await replay(name);
    expect(status).toBe(200);
    expect(JSON.parse(text)).toMatchObject({ cell_id: 'cell-a', Evacuating: false, LRPs: [], Tasks: [] });
  });

  test.each(['go-client-POST-work', 'work-lrps-null-drivers-no-trace', 'work-lrps-2', 'work-tasks-no-trace'])(
    '%s is placed',
    async (name) => {
      const { status, text } = await replay(name);
      expect([status, JSON.parse(text)]).toEqual([200, { LRPs: null, Tasks: null }]);
    },
  );

  test('work for another cell is an error', async () => {
    expect(await replay('work-lrps')).toMatchObject({ status: 500 });
  });

  test('stop, update and cancel are 202 for what is here, with an empty body', async () => {
    const guids = ['inst-1', '937954b6-4a7b-4b5b-a240-3601', '195786c6-515e-49ad-9718-c373'];
    guids.forEach((guid, index) => {
      doors.containers.reserve(anLrp(guid, index));
      doors.containers.run(guid, anOrder());
    });
    doors.containers.reserve(aTask('t3'));
    for (const name of ['go-client-PUT-update', 'update-routes-no-trace', 'go-client-POST-stop', 'stop-202', 'cancel'])
      expect([name, await replay(name)]).toEqual([name, { status: 202, text: '' }]);
    expect(doors.containers.get('inst-1')).toMatchObject({
      stopped: true,
      order: { internal_routes: ['a.apps.internal'], metric_tags: { a: 'b' } },
    });
    // Null leaves what is.
    expect(doors.containers.get(guids[2] ?? '')?.order).toMatchObject({
      internal_routes: ['app.apps.internal'],
      metric_tags: { source_id: 'log-1' },
    });
    expect(doors.containers.get('t3')).toBeUndefined();
    expect(doors.hints).toContainEqual(['t3', '1c120619-c378-43e8-bd5e-e838adf6a2d8']);
  });

  test('stop and update are 500 for what is not here, cancel is 202', async () => {
    expect(await replay('stop-500')).toMatchObject({ status: 500 });
    expect(await replay('update-tags')).toMatchObject({ status: 500 });
    expect(await replay('go-client-POST-cancel')).toMatchObject({ status: 202 });
  });

  test('work carries its trace to the reservation, and what does not fit comes back as it was', async () => {
    const lrp = (process_guid: string, MemoryMB: number) => ({
      ...{ instance_guid: '', process_guid, index: 0, domain: 'd', PlacementTags: null, VolumeDrivers: null },
      ...{ RootFs: 'preloaded:unik', MemoryMB, DiskMB: 1, MaxPids: 0, state: '' },
    });
    const work = { LRPs: [lrp('small', 100), lrp('big', 4_000)], Tasks: null, cell_id: 'cell-a' };
    const { text } = await call('POST', '/work', work, TRACE);
    expect(JSON.parse(text)).toEqual({ LRPs: [lrp('small', 100)], Tasks: null, cell_id: 'cell-a' });
    expect(doors.containers.list().map(({ reservation }) => reservation)).toMatchObject(
      [{ guid: 'guid-1', trace: 'trace-1', lrp: { process_guid: 'big' } }].map((one) => ({
        ...one,
        guid: expect.any(String),
      })),
    );
    // The host may know better than the room it told of.
    doors.containers.reserve = () => {
      throw new UnikError('insufficient_disk', 'no disk left');
    };
    const refused = { LRPs: [lrp('late', 1)], Tasks: null, cell_id: 'cell-a' };
    expect(JSON.parse((await call('POST', '/work', refused)).text)).toEqual(refused);
    doors.evacuating = true;
    expect(JSON.parse((await call('POST', '/work', work)).text)).toEqual({
      ...work,
      LRPs: [lrp('big', 4_000), lrp('small', 100)],
    });
  });

  test('metrics', async () => {
    const bytes = { disk_bytes: 1, disk_quota_bytes: 2, memory_bytes: 3, memory_quota_bytes: 4 };
    for (const [at, guid] of ['inst-1', 'inst-2', 't1'].entries()) {
      doors.containers.reserve(guid === 't1' ? aTask(guid) : anLrp(guid, at));
      doors.containers.run(guid, anOrder({ metrics: { guid: 'm', index: at, tags: {} } }));
      const net = guid === 'inst-2' ? { rx_bytes: 1, tx_bytes: 2 } : {};
      doors.samples.push({ usage: { guid, at: 0, cpu_ns: 0n, age_ns: 0n, ...bytes, ...net }, cpu_fraction: 0.25 });
    }
    doors.samples.push({ usage: { guid: 'gone', at: 0, cpu_ns: 0n, age_ns: 0n, ...bytes }, cpu_fraction: 0 });
    const golden = await readFile(join(root, 'test/fixtures/diego/rep-lib/container-metrics.json'), 'utf8');
    expect(JSON.parse((await call('GET', '/container_metrics')).text)).toEqual(JSON.parse(golden));
  });

  test('the drain script pings and evacuates on its own door only', async () => {
    expect(await admin('GET', '/ping')).toEqual({ status: 200, text: '' });
    expect(await admin('POST', '/evacuate')).toEqual({ status: 202, text: '{"ping_path":"/ping"}' });
    expect(doors.evacuating).toBe(true);
    expect(JSON.parse((await call('GET', '/state')).text)).toMatchObject({ Evacuating: true });
    expect(await admin('GET', '/state')).toMatchObject({ status: 404 });
    expect(await call('POST', '/evacuate')).toMatchObject({ status: 404 });
    expect(await call('POST', '/sim/reset')).toMatchObject({ status: 500 });
  });
});

describe('who is not let in', () => {
  const cases: [string, () => { cert: string; key: string } | undefined][] = [
    ['no certificate', () => undefined],
    ['an expired one', () => certs.expired],
    ['one of another authority', () => certs.stranger],
  ];
  test.each(cases)('%s', async (_name, pair) => {
    const client = await clientOf(certs.ca, pair());
    for (const { port } of [doors.network, doors.admin])
      await expect(ask({ ...client, port, method: 'GET', path: '/state' })).rejects.toThrow();
    await sound();
  });

  test('old TLS, and no TLS', async () => {
    await expect(ask({ ...good, port: doors.network.port, path: '/state', maxVersion: 'TLSv1.1' })).rejects.toThrow();
    const socket = connect(doors.network.port, '127.0.0.1', () => socket.write('GET /state HTTP/1.1\r\n\r\n'));
    await ended(socket);
    await sound();
  });
});

describe('garbage', () => {
  const big = Buffer.alloc(11 * 2 ** 20, '1');
  test.each<[string, string, string, unknown, Record<string, string>, number]>([
    ['cut JSON', 'POST', '/work', '{"LRPs":[{"process', {}, 400],
    ['no body asks for nothing', 'POST', '/work', undefined, {}, 200],
    ['a list', 'POST', '/work', '[]', {}, 400],
    ['a number', 'POST', '/work', '7', {}, 400],
    ['bytes', 'POST', '/work', Buffer.from([0xff, 0xfe, 0, 1]), {}, 400],
    ['LRPs that are none', 'POST', '/work', { LRPs: [{ process_guid: 7 }] }, {}, 400],
    ['an LRP without a guid', 'POST', '/work', { LRPs: [{ process_guid: '' }] }, {}, 400],
    ['a task without a guid', 'POST', '/work', { Tasks: [{ TaskGuid: '' }] }, {}, 400],
    ['a fraction of a MB', 'POST', '/work', { LRPs: [{ process_guid: 'p', MemoryMB: 1.5 }] }, {}, 400],
    ['an update of a wrong kind', 'PUT', '/v2/lrps/p/instances/i', { metric_tags: { a: 1 } }, {}, 400],
    ['another content type is nothing wrong', 'POST', '/work', '{}', { 'Content-Type': 'text/html' }, 200],
    ['a charset that is none', 'POST', '/work', '{}', { 'Content-Type': 'application/json; charset=x' }, 415],
    ['a compressed body that is none', 'POST', '/work', '{}', { 'Content-Encoding': 'gzip' }, 400],
    ['10 MB and more', 'POST', '/work', big, {}, 413],
    ['a path that is none', 'GET', '/v1/nothing', undefined, {}, 404],
    ['a path that cannot be read', 'POST', '/v1/tasks/%E0%A4%A/cancel', undefined, {}, 400],
    ['a method that is none', 'DELETE', '/state', undefined, {}, 404],
  ])('%s', async (_name, method, path, body, headers, status) => {
    const answer = await call(method, path, body, headers);
    expect(answer.status).toBe(status);
    if (status !== 200)
      expect(JSON.parse(answer.text)).toMatchObject({
        code: expect.any(String) as unknown,
        message: expect.any(String) as unknown,
      });
    expect(doors.containers.list()).toEqual([]);
    await sound();
  });

  const long_ms = 600_000;
  test.each([
    ['half a handshake', { header_ms: 500, request_ms: long_ms }],
    ['half a header', { header_ms: 500, request_ms: long_ms }],
    ['half a body', { header_ms: 500, request_ms: 1_000 }],
  ] as const)(
    'a peer that dripped %s for ever is let go',
    async (what, patience) => {
      await doors.close();
      doors = await openDoors(certs, patience);
      const { port } = doors.network;
      const words = {
        'half a handshake': undefined,
        'half a header': ['GET /state HTTP/1.1\r\nHost: x\r\n', 'X-More: x\r\n'] as const,
        'half a body': ['POST /work HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n{', ' '] as const,
      }[what];
      const socket = words ? connectTls({ ...good, port, host: '127.0.0.1' }) : connect(port, '127.0.0.1');
      let drip: NodeJS.Timeout | undefined;
      if (words) {
        socket.write(words[0]);
        drip = setInterval(() => socket.write(words[1]), 50);
      }
      await ended(socket);
      clearInterval(drip);
      await sound();
    },
    20_000,
  );
});

/** The other side closed it. */
function ended(socket: NodeJS.ReadWriteStream & { destroy(): void }): Promise<void> {
  return new Promise((resolve) => {
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
    socket.on('end', () => socket.destroy());
    socket.resume();
  });
}

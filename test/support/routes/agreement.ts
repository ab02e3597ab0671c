/** What any gorouter does: one suite, for the real one and for ours. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import type { Registration } from '../../../backend/wire/registration.js';
import { APP, deafPort, registration, startBackend, startRude, type Backend } from './backend.js';
import { send, until, type Sending } from './client.js';

/** A router that serves plain HTTP. Registrations take effect soon after the call. */
export interface RouterSubject {
  readonly url: string;
  register(message: object): Promise<void>;
  unregister(message: object): Promise<void>;
  /** Lines of its access log, oldest first. */
  accessLines(): Promise<string[]>;
  close(): Promise<void>;
}

const LINE =
  /^(\S+) - \[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z\] "([^"]*)" (\d+|"-") (\d+) (\d+) "([^"]*)" "([^"]*)" "127\.0\.0\.1:\d+" "([^"]*)" x_forwarded_for:"([^"]*)" x_forwarded_proto:"([^"]*)" vcap_request_id:"([^"]*)" response_time:\d+\.\d{6} gorouter_time:\d+\.\d{6} app_id:"([^"]*)" app_index:"([^"]*)" instance_id:"([^"]*)" x_cf_routererror:"([^"]*)"$/;

/** The suite. The subject answers 503 for a while where the last instance went, asks three instances at most. */
export function describeRouter(title: string, start: () => Promise<RouterSubject>): void {
  describe(title, () => {
    let router: RouterSubject;
    const open: { close(): Promise<void> }[] = [];
    let count = 0;
    /** A host name of this test alone. */
    const fresh = (): string => `app-${++count}.apps.test`;

    beforeAll(async () => {
      router = await start();
    }, 60_000);
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });
    afterAll(() => router.close(), 30_000);

    async function backend(name = 'hello', answer?: Parameters<typeof startBackend>[1]): Promise<Backend> {
      const made = await startBackend(name, answer);
      open.push(made);
      return made;
    }
    async function rude(meet: Parameters<typeof startRude>[0]): Promise<number> {
      const made = await startRude(meet);
      open.push(made);
      return made.port;
    }
    const ask = (host: string, sending?: Sending) => send(router.url, host, sending);
    /** Registers, and waits until the router knows. */
    async function route(uri: string, port: number, index = 0, more: Registration = {}): Promise<Registration> {
      const message = registration(uri, port, index, more);
      // A route of a sibling that leads to the same table: when it is known, so is what was sent before it.
      const probe = fresh();
      const { port: at } = await backend('probe');
      await router.register(message);
      await router.register(registration(probe, at));
      await until('the router knows', async () => (await ask(probe)).status === 200);
      return message;
    }

    /** A connection of which each byte is our own. */
    async function listen(request: string) {
      const socket = connect(Number(new URL(router.url).port), '127.0.0.1');
      open.push({ close: async () => void socket.destroy() });
      let heard = '';
      socket.setEncoding('latin1').on('data', (text: string) => (heard += text));
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      socket.write(request);
      return { text: () => heard, write: (text: string) => socket.write(text), end: () => socket.destroy() };
    }

    test('a host that nobody registered is an unknown route', async () => {
      const reply = await ask('nobody.apps.test');
      expect(reply.status).toBe(404);
      expect(reply.body).toBe("404 Not Found: Requested route ('nobody.apps.test') does not exist.\n");
      expect(reply.headers).toMatchObject({
        'x-cf-routererror': 'unknown_route',
        'content-type': 'text/plain; charset=utf-8',
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-cache, no-store',
      });
    });

    test('an instance is told who asks, for which application, and who it is', async () => {
      const host = fresh();
      const { port, seen } = await backend();
      await route(host, port, 3);
      const reply = await ask(host, {
        method: 'POST',
        path: '/a%20path/?with=query&x=%2F',
        headers: {
          'x-forwarded-for': '10.1.2.3',
          'x-vcap-request-id': 'mine',
          'x-cf-instanceid': 'a lie',
          connection: 'keep-alive, x-hop',
          'x-hop': 'is for the router only',
          te: 'trailers',
          'x-kept': ['one', 'two'],
        },
        body: 'some body',
      });
      expect(reply).toMatchObject({ status: 200, body: 'hello' });
      const [asked] = seen;
      expect(asked).toMatchObject({ method: 'POST', url: '/a%20path/?with=query&x=%2F', body: 'some body' });
      expect(asked?.headers).toMatchObject({
        host,
        'x-forwarded-for': '10.1.2.3, 127.0.0.1',
        'x-forwarded-proto': 'http',
        'x-request-start': expect.stringMatching(/^\d{13}$/) as unknown,
        'x-cf-applicationid': APP,
        'x-cf-instanceid': 'instance-3',
        'x-cf-instanceindex': '3',
        'x-kept': 'one, two',
        'content-length': '9',
      });
      expect(asked?.headers['x-hop']).toBeUndefined();
      const id = asked?.headers['x-vcap-request-id'];
      expect(id).toMatch(/^[\da-f-]{36}$/);
      expect(reply.headers['x-vcap-request-id']).toBe(id);
    });

    test('one that balances load before us is believed what protocol it was asked by', async () => {
      const host = fresh();
      const { port, seen } = await backend();
      await route(host, port);
      await ask(host, { headers: { 'x-forwarded-proto': 'https', 'x-request-start': '1' } });
      expect(seen[0]?.headers).toMatchObject({ 'x-forwarded-proto': 'https', 'x-request-start': '1' });
    });

    test('an instance without id is known by its address', async () => {
      const host = fresh();
      const { port, seen } = await backend();
      await route(host, port, 0, { private_instance_id: '' });
      await ask(host);
      expect(seen[0]?.headers['x-cf-instanceid']).toBe(`127.0.0.1:${port}`);
    });

    test('requests go to the instances in turn', async () => {
      const host = fresh();
      for (const index of [0, 1, 2]) await route(host, (await backend(String(index))).port, index);
      const replies = await Promise.all(Array.from({ length: 60 }, () => ask(host)));
      const counts = [0, 1, 2].map((index) => replies.filter(({ body }) => body === String(index)).length);
      expect(counts).toEqual([20, 20, 20]);
    });

    test('host names are read without regard to case and port; paths belong to the longest route', async () => {
      const host = fresh();
      await route(host, (await backend('root')).port);
      await route(`${host.toUpperCase()}/Some/Path`, (await backend('path')).port);
      const at = async (path: string) => (await ask(`${host.toUpperCase()}:1234`, { path })).body;
      expect(await at('/')).toBe('root');
      expect(await at('/some/path')).toBe('path');
      expect(await at('/some/path/below?q=1')).toBe('path');
      expect(await at('/some/pathetic')).toBe('root');
    });

    test('a wildcard takes what has no route of its own', async () => {
      const domain = `wild-${++count}.test`;
      await route(`*.${domain}`, (await backend('wild')).port);
      await route(`own.${domain}`, (await backend('own')).port);
      expect((await ask(`any.${domain}`)).body).toBe('wild');
      expect((await ask(`deep.any.${domain}`)).body).toBe('wild');
      expect((await ask(`own.${domain}`)).body).toBe('own');
      expect((await ask(domain)).status).toBe(404);
    });

    test('what was unregistered is not asked any more; the rest of the route stays', async () => {
      const host = fresh();
      await route(host, (await backend('stays')).port, 0);
      const message = await route(host, (await backend('goes')).port, 1);
      await router.unregister(message);
      await until('it is gone', async () => {
        const bodies = new Set([await ask(host), await ask(host), await ask(host)].map(({ body }) => body));
        return bodies.size === 1 && bodies.has('stays');
      });
    });

    test('a route whose last instance went is known but empty', async () => {
      const host = fresh();
      const message = await route(host, (await backend()).port);
      await router.unregister(message);
      await until('it is gone', async () => (await ask(host)).status !== 200);
      const reply = await ask(host);
      expect(reply.status).toBe(503);
      expect(reply.body).toBe(`503 Service Unavailable: Requested route ('${host}') has no available endpoints.\n`);
      expect(reply.headers['x-cf-routererror']).toBe('no_endpoints');
    });

    test('an instance at the address of another takes its place, and the late goodbye of the first takes it away', async () => {
      const host = fresh();
      const { port, seen } = await backend();
      const first = await route(host, port, 0);
      await route(host, port, 1);
      await ask(host);
      expect(seen.at(-1)?.headers['x-cf-instanceid']).toBe('instance-1');
      await router.unregister(first);
      await until('it is gone', async () => (await ask(host)).status === 503);
    });

    test('where one instance refuses connections another is asked, body and all', async () => {
      const host = fresh();
      await route(host, await deafPort(), 0);
      await route(host, (await backend('alive')).port, 1);
      for (let n = 0; n < 6; n++) {
        expect(await ask(host, { method: 'POST', body: 'a body' })).toMatchObject({ status: 200, body: 'alive' });
      }
    });

    test('where one instance hangs up another is asked for what may be repeated', async () => {
      const host = fresh();
      await route(host, await rude((socket) => socket.once('data', () => socket.end())), 0);
      await route(host, (await backend('alive')).port, 1);
      for (let n = 0; n < 6; n++) expect(await ask(host)).toMatchObject({ status: 200, body: 'alive' });
    });

    test('what was sent once is not sent to another', async () => {
      const host = fresh();
      let heard = 0;
      await route(
        host,
        await rude((socket) =>
          socket.once('data', () => {
            heard++;
            socket.end();
          }),
        ),
        0,
      );
      const alive = await backend('alive');
      await route(host, alive.port, 1);
      const replies = [await ask(host, { method: 'POST', body: 'x' }), await ask(host, { method: 'POST', body: 'x' })];
      expect(replies.map(({ status }) => status).sort()).toEqual([200, 502]);
      expect(heard + alive.seen.length).toBe(2);
    });

    test('when no instance can be connected, that is what is said', async () => {
      const host = fresh();
      const port = await deafPort();
      await route(host, port);
      const reply = await ask(host);
      expect(reply.status).toBe(502);
      expect(reply.body).toBe('502 Bad Gateway: Registered endpoint failed to handle the request.\n');
      expect(reply.headers['x-cf-routererror']).toMatch(/^endpoint_failure \(dial tcp 127\.0\.0\.1:\d+: /);
    });

    test.each([
      ['lines that end without a carriage return', 'HTTP/1.1 200 OK\nX-App: yes\nContent-Length: 5\n\nhello'],
      [
        'two lengths: the chunks count',
        'HTTP/1.1 200 OK\r\nX-App: yes\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
      ],
      ['a header over two lines', 'HTTP/1.1 200 OK\r\nX-App: yes\r\nX-Long: a\r\n b\r\nContent-Length: 5\r\n\r\nhello'],
    ])('a reply with %s is passed on, well formed', async (_what, text) => {
      const host = fresh();
      await route(host, await rude((socket) => socket.once('data', () => socket.end(text))));
      const reply = await ask(host);
      expect(reply).toMatchObject({ status: 200, headers: { 'x-app': 'yes' }, body: 'hello' });
    });

    test.each([
      ['a carriage return alone', 'HTTP/1.1 200 OK\r\nX-App: yes\rX-Forged: yes\r\nContent-Length: 5\r\n\r\nhello'],
      ['no status', 'hello\r\n\r\n'],
    ])('a reply with %s forges nothing', async (_what, text) => {
      const host = fresh();
      await route(host, await rude((socket) => socket.once('data', () => socket.end(text))));
      expect((await ask(host)).headers).not.toHaveProperty('x-forged');
    });

    test('an instance can be named', async () => {
      const host = fresh();
      for (const index of [0, 1]) await route(host, (await backend(String(index))).port, index);
      const named = (value: string) => ask(host, { headers: { 'X-CF-App-Instance': value } });
      for (let n = 0; n < 4; n++) expect((await named(`${APP}:1`)).body).toBe('1');
      const absent = await named(`${APP}:7`);
      expect(absent).toMatchObject({ status: 400, headers: { 'x-cf-routererror': 'unknown_route' } });
      expect(absent.body).toBe(
        `400 Bad Request: Requested instance ('7') with guid ('${APP}') does not exist for route ('${host}')\n`,
      );
      const odd = await named('nonsense');
      expect(odd).toMatchObject({ status: 400, body: '400 Bad Request: Invalid X-CF-App-Instance Header\n' });
      expect(odd.headers['x-cf-routererror']).toBe('invalid_cf_app_instance_header');
    });

    test('a session stays with its instance, and moves when that is gone', async () => {
      const host = fresh();
      const login = (name: string) =>
        backend(name, (_asked, reply) => {
          reply.setHeader('set-cookie', ['JSESSIONID=abc; Secure; SameSite=Strict; Max-Age=100', 'other=1']);
          reply.end(name);
        });
      const [zero, one] = [await login('0'), await login('1')];
      await route(host, zero.port, 0);
      const second = await route(host, one.port, 1);
      const first = await until('instance 1 answers', async () => {
        const reply = await ask(host);
        return reply.body === '1' && reply;
      });
      const cookies = first.headers['set-cookie'] ?? [];
      expect(cookies).toHaveLength(3);
      const sticky = cookies.find((cookie) => cookie.startsWith('__VCAP_ID__')) ?? '';
      expect(sticky.split('; ').sort()).toEqual(
        ['__VCAP_ID__=instance-1', 'HttpOnly', 'Path=/', 'SameSite=Strict', 'Secure'].sort(),
      );
      const headers = { cookie: 'JSESSIONID=abc; __VCAP_ID__=instance-1' };
      for (let n = 0; n < 5; n++) expect((await ask(host, { headers })).body).toBe('1');
      await router.unregister(second);
      const moved = await until('instance 0 answers', async () => {
        const reply = await ask(host, { headers });
        return reply.body === '0' && reply;
      });
      expect(moved.headers['set-cookie']).toContainEqual(expect.stringMatching(/^__VCAP_ID__=instance-0;/));
    });

    test('WebSockets pass, with what was sent along with the request', async () => {
      const host = fresh();
      await route(host, (await backend()).port);
      const socket = new WebSocket(router.url.replace('http', 'ws'), { headers: { host } });
      await once(socket, 'open');
      const large = Buffer.alloc(1_000_000, 'x');
      for (const data of ['hello', large]) {
        const heard = once(socket, 'message');
        socket.send(data);
        expect(String((await heard)[0])).toBe(String(data));
      }
      const closed = once(socket, 'close');
      socket.close(1000);
      expect((await closed)[0]).toBe(1000);
    });

    test('a WebSocket to nobody is refused as a request is', async () => {
      const socket = new WebSocket(router.url.replace('http', 'ws'), { headers: { host: 'nobody.apps.test' } });
      const [, reply] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }];
      expect(reply.statusCode).toBe(404);
      socket.on('error', () => undefined).terminate();
    });

    test('a reply that streams is passed on as it comes', async () => {
      const host = fresh();
      const held: (() => void)[] = [];
      const { port } = await backend('', (_asked, reply) => {
        reply.writeHead(200, { 'content-type': 'text/event-stream' });
        reply.write('first');
        held.push(() => reply.end('second'));
      });
      await route(host, port);
      const heard = await listen(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      await until('the first part', async () => heard.text().includes('first'));
      expect(heard.text()).not.toContain('second');
      held[0]?.();
      await until('the second part', async () => heard.text().includes('second'));
      heard.end();
    });

    test('a request that streams is passed on as it comes', async () => {
      const host = fresh();
      let got = '';
      const { port } = await backend('', (asked, reply) => {
        asked.on('data', (chunk: Buffer) => (got += chunk.toString()));
        asked.once('end', () => reply.end('done'));
      });
      await route(host, port);
      const heard = await listen(
        `POST / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n`,
      );
      await until('the first part', async () => got === 'first');
      heard.write('6\r\nsecond\r\n0\r\n\r\n');
      await until('the reply', async () => heard.text().includes('done'));
      expect(got).toBe('firstsecond');
      heard.end();
    });

    test('a large body arrives whole, both ways', async () => {
      const host = fresh();
      const { port } = await backend('', (asked, reply) => {
        const chunks: Buffer[] = [];
        asked.on('data', (chunk: Buffer) => chunks.push(chunk));
        asked.once('end', () => reply.end(Buffer.concat(chunks)));
      });
      await route(host, port);
      const body = Buffer.alloc(5_000_000);
      for (let i = 0; i < body.length; i += 4) body.writeUInt32LE(i, i);
      const text = body.toString('base64');
      const reply = await ask(host, { method: 'PUT', body: text });
      expect(reply.body === text).toBe(true);
    });

    test('a reply that breaks off does so for the client', async () => {
      const host = fresh();
      const port = await rude((socket) =>
        socket.once('data', () => {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly a part');
          setTimeout(() => socket.destroy(), 50);
        }),
      );
      await route(host, port);
      await expect(ask(host)).rejects.toThrow();
    });

    test('what has no body has none, whatever the method', async () => {
      const host = fresh();
      const { port, seen } = await backend();
      await route(host, port);
      const head = await ask(host, { method: 'HEAD' });
      expect(head).toMatchObject({ status: 200, body: '' });
      for (const method of ['POST', 'DELETE', 'OPTIONS', 'PATCH']) {
        expect(await ask(host, { method, headers: { 'content-length': '0' } })).toMatchObject({ status: 200 });
        expect(seen.at(-1)).toMatchObject({ method, body: '' });
        expect(seen.at(-1)?.headers['transfer-encoding']).toBeUndefined();
      }
    });

    test('connections of clients are kept, also after an error', async () => {
      const host = fresh();
      await route(host, (await backend()).port);
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      let connections = 0;
      const create = agent.createConnection.bind(agent);
      agent.createConnection = (...args: Parameters<typeof create>) => {
        connections++;
        return create(...args);
      };
      const statuses = [];
      for (const name of [host, 'nobody.apps.test', host, host]) statuses.push((await ask(name, { agent })).status);
      agent.destroy();
      expect(statuses).toEqual([200, 404, 200, 200]);
      expect(connections).toBe(1);
    });

    test('a client may ask it as its proxy, for a whole URL', async () => {
      const host = fresh();
      const { port, seen } = await backend();
      await route(host, port);
      const reply = await ask('ignored', { path: `http://${host}/path?q=1` });
      expect(reply).toMatchObject({ status: 200, body: 'hello' });
      expect(seen[0]).toMatchObject({ url: expect.stringMatching(/\/path\?q=1$/) as unknown, headers: { host } });
    });

    test('every request to an application is a line of its log', async () => {
      const host = fresh();
      const { port } = await backend('hello');
      await route(host, port, 2);
      const reply = await ask(host, {
        method: 'PUT',
        path: '/p?q=1',
        headers: { 'user-agent': 'a "quoted" agent', referer: 'http://from' },
        body: 'four',
      });
      const line = await until('the line', async () => (await router.accessLines()).find((one) => one.includes(host)));
      const unquoted = line.replaceAll('\\"', "'");
      expect(unquoted).toMatch(LINE);
      expect(LINE.exec(unquoted)?.slice(1)).toEqual([
        ...[host, 'PUT /p?q=1 HTTP/1.1', '200', '4', '5', 'http://from', "a 'quoted' agent", `127.0.0.1:${port}`],
        ...['127.0.0.1', 'http', reply.headers['x-vcap-request-id'], APP, '2', 'instance-2', '-'],
      ]);
    });

    test.each<[why: string, message: object]>([
      ['a port that is none', { port: 70_000 }],
      ['an index that is no text', { private_instance_index: 0 }],
      ['a route service that is not https', { route_service_url: 'http://service.test' }],
    ])('%s: the message is not taken', async (_why, wrong) => {
      const host = fresh();
      const { port } = await backend();
      await router.register({ ...registration(host, port), ...wrong });
      // Known as soon as another is that came after it.
      await route(fresh(), port);
      expect((await ask(host)).status).toBe(404);
    });

    test('keys that it does not know do not keep it from taking the rest', async () => {
      const host = fresh();
      const { port } = await backend();
      await route(host, port, 0, { ...{ from_later: [1] }, options: { ...{ lb_algo: 'of later', other: 1 } } });
      expect((await ask(host)).status).toBe(200);
    });
  });
}

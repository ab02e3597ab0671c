import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import { Agent, request } from 'undici';
import type { z } from 'zod';
import { createHandlers } from '../../../backend/api/handlers/all.js';
import { errorBody, streamError } from '../../../backend/api/schema/common.js';
import { ROUTES, type Route, type RouteName } from '../../../backend/api/schema/routes.js';
import { createServer } from '../../../backend/api/server.js';
import { listenUnix } from '../../../backend/listen.js';
import { Client } from '../../../cli/client.js';
import { packFolder } from '../../../cli/pack.js';
import { UnikError } from '../../../core/errors.js';
import { noLog } from '../../../core/log.js';
import type { BuildOrder } from '../../../backend/api/parts.js';
import { anImage, memoryParts } from '../../support/api.js';
import type { MemoryExecutor } from '../../support/memory-executor.js';

let home: string;
let executor: MemoryExecutor;
let server: Server;
let remote: Server;
let client: Client;
let cleanup: () => Promise<void>;
let build: (order: BuildOrder) => Promise<ReturnType<typeof anImage>>;
let exits = 0;

beforeAll(async () => {
  const made = await memoryParts({ build: (order) => build(order), exit: () => (exits += 1) });
  ({ home, executor, cleanup } = made);
  const handlers = createHandlers(made.parts);
  server = await listenUnix(createServer({ handlers, log: noLog, local: true }), join(home, 'api.sock'));
  remote = await listenUnix(createServer({ handlers, log: noLog, local: false }), join(home, 'remote.sock'));
  client = new Client({ kind: 'unix', path: join(home, 'api.sock') });
});

afterAll(async () => {
  await client.close();
  for (const one of [server, remote]) one.closeAllConnections();
  for (const one of [server, remote]) one.close();
  await cleanup();
});

const fine = async ({ progress }: BuildOrder) => {
  progress('found it');
  progress('packed it');
  return anImage();
};

describe('every route', () => {
  const document = () =>
    client.call('openapi', {}) as Promise<{ openapi: string; paths: Record<string, Record<string, unknown>> }>;

  test('is in the OpenAPI document, and nothing else is', async () => {
    const { openapi, paths } = await document();
    expect(openapi).toBe('3.1.0');
    const listed = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    const served = Object.values(ROUTES).map(({ method, path }) => `${method} ${path}`);
    expect(listed.sort()).toEqual(served.sort());
  });

  /** One good call per route, in order; each reply must be what the document promises. */
  const calls: [RouteName, object][] = [
    ['info', {}],
    ['openapi', {}],
    ['doctor', {}],
    ['gc', { body: {} }],
    ['providers', {}],
    ['guests', {}],
    ['images', {}],
    ['imageBuild', { query: {}, body: { path: '/app', name: 'hello' } }],
    ['image', { params: { ref: 'hello' }, query: {} }],
    ['imageTag', { params: { ref: 'hello' }, body: { name: 'other' } }],
    ['imageVerify', { params: { ref: 'hello' } }],
    ['instanceCreate', { body: { image: 'hello', name: 'web', ports: [{ guest_port: 80 }], labels: { a: 'b' } } }],
    ['instances', { query: { all: 'true' } }],
    ['instanceStart', { params: { ref: 'web' }, body: {} }],
    ['instance', { params: { ref: 'web' }, query: { show_env: '' } }],
    ['instanceRestart', { params: { ref: 'web' }, body: {} }],
    ['instanceKill', { params: { ref: 'web' }, body: { signal: 'hup' } }],
    ['instanceStop', { params: { ref: 'web' }, body: {} }],
    ['instanceWait', { params: { ref: 'web' }, query: {} }],
    ['instanceRemove', { params: { ref: 'web' }, query: {} }],
    ['kernels', {}],
    ['imageRemove', { params: { ref: 'hello' }, query: {} }],
    ['shutdown', {}],
  ];

  test('with a JSON reply gives what its schema says', async () => {
    build = fine;
    for (const [name, input] of calls) {
      const { reply } = ROUTES[name] as { reply: z.ZodType };
      const value: unknown = await client.call(name, input);
      expect([name, reply.safeParse(value).error]).toEqual([name, undefined]);
    }
    expect(exits).toBe(1);
  });

  test('is either called above or a stream, a download or a refusal tested below', () => {
    const below: RouteName[] = [
      ...(['events', 'logs', 'imageDroplet', 'imageExport', 'providerPolicy'] as const),
      ...(['kernel', 'kernelImport', 'kernelPull', 'kernelVerify', 'kernelRemove'] as const),
    ];
    expect([...calls.map(([name]) => name), ...below].sort()).toEqual(Object.keys(ROUTES).sort());
  });

  test('answers 404 for an unknown name, with the body of the table', async () => {
    const named = (Object.entries(ROUTES) as [RouteName, Route][]).filter(([, { path }]) => path.includes('{'));
    for (const [, { method, path }] of named) {
      const [code422] = [
        ...(path.includes('kernels') ? ['kernel_missing'] : []),
        ...(path.includes('providers') ? ['provider_unknown'] : []),
      ];
      const { status, body } = await raw(method, path.replace(/\{\w+\}/, 'nobody'), { name: 'x', image: 'x' });
      const { code } = errorBody.parse(JSON.parse(body));
      const accepted = code422 === undefined ? ['not_found', 'image_missing', 'bad_request'] : [code422];
      expect(accepted).toContain(code);
      if (code !== 'bad_request') expect([path, status]).toEqual([path, code422 === undefined ? 404 : 422]);
    }
  });
});

describe('requests', () => {
  test.each<[string, string, object, string]>([
    ['an unknown field', '/v1/instances', { image: 'hello', nam: 'x' }, 'Unrecognized key: "nam"'],
    ['a wrong port', '/v1/instances', { image: 'hello', ports: [{ guest_port: 0 }] }, 'ports.0.guest_port'],
    ['a wrong name', '/v1/instances', { image: 'hello', name: '-x' }, 'name:'],
    ['a missing image', '/v1/instances', { name: 'x' }, 'image:'],
    ['a strange signal', '/v1/instances', { image: 'hello', env: { 'A=B': '' } }, 'env'],
  ])('with %s is refused and the field named', async (_why, path, body, text) => {
    const reply = await raw('post', path, body);
    expect(reply.status).toBe(400);
    expect(errorBody.parse(JSON.parse(reply.body))).toMatchObject({ code: 'bad_request', owner: 'user' });
    expect(reply.body).toContain(text.replaceAll('"', '\\"'));
  });

  test('for a disk of no known format, or a kernel without a name, are refused', async () => {
    const code = async (...[method, path, body]: Parameters<typeof raw>): Promise<unknown> =>
      errorBody.parse(JSON.parse((await raw(method, path, body)).body)).code;
    expect(await code('get', '/v1/images/hello/export?format=floppy')).toBe('bad_request');
    expect(await code('post', '/v1/kernels/pull', {})).toBe('bad_request');
  });

  test('that are no JSON, or go nowhere, get the same kind of answer', async () => {
    const broken = await raw('post', '/v1/instances', '{');
    expect([broken.status, errorBody.parse(JSON.parse(broken.body)).code]).toEqual([400, 'bad_request']);
    const nowhere = await raw('get', '/v2/instances');
    expect([nowhere.status, errorBody.parse(JSON.parse(nowhere.body)).code]).toEqual([404, 'not_found']);
  });

  test('a value of the environment is never in a refusal', async () => {
    const { body } = await raw('post', '/v1/instances', { image: 'hello', env: { TOKEN: 'hush\0' } });
    expect(body).not.toContain('hush');
  });
});

describe('a build', () => {
  test('streams its progress, then the image', async () => {
    build = fine;
    const lines = [];
    for await (const line of await client.stream('imageBuild', { query: {}, body: { path: '/app' } })) lines.push(line);
    expect(lines).toMatchObject([
      { progress: 'found it' },
      { progress: 'packed it' },
      { image: { names: ['hello:latest', 'other:latest'] } },
    ]);
  });

  test('that is refused at once has a status of its own', async () => {
    build = () => Promise.reject(new UnikError('source_missing', 'no folder /app'));
    const reply = await raw('post', '/v1/images', { path: '/app' }, 'application/x-ndjson');
    expect([reply.status, errorBody.parse(JSON.parse(reply.body)).code]).toEqual([400, 'source_missing']);
  });

  test('that fails later ends with an error line, and the client throws it', async () => {
    build = async ({ progress }) => {
      progress('found it');
      await Promise.resolve();
      throw new UnikError('toolchain_failed', 'npm says no');
    };
    const reply = await raw('post', '/v1/images', { path: '/app' }, 'application/x-ndjson');
    const last = reply.body.trim().split('\n').at(-1) ?? '';
    expect(streamError.parse(JSON.parse(last)).error).toMatchObject({
      code: 'toolchain_failed',
      message: 'npm says no',
    });
    const read = async () => {
      for await (const _ of await client.stream('imageBuild', { query: {}, body: { path: '/app' } }));
    };
    await expect(read()).rejects.toMatchObject({ code: 'toolchain_failed' });
  });

  test('without a stream gives the failure as its status', async () => {
    build = () => Promise.reject(new UnikError('toolchain_failed', 'npm says no'));
    const reply = await raw('post', '/v1/images', { path: '/app' });
    expect(reply.status).toBe(422);
  });

  test('ends when its caller goes', async () => {
    const gone = new AbortController();
    const aborted = new Promise<string>((resolve) => {
      build = ({ progress, signal }) => {
        progress('begun');
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            resolve('aborted');
            reject(new Error('given up'));
          });
        });
      };
    });
    const lines = await client.stream('imageBuild', { query: {}, body: { path: '/app' } }, { signal: gone.signal });
    await lines.next();
    gone.abort();
    expect(await aborted).toBe('aborted');
  });

  test('of an uploaded folder sees the same folder, which is then gone', async () => {
    const app = await mkdtemp(join(home, 'app-'));
    await mkdir(join(app, 'empty folder'));
    await writeFile(join(app, 'größe.txt'), 'x'.repeat(200_000));
    await writeFile(join(app, 'run'), '#!', { mode: 0o755 });
    await symlink('run', join(app, 'link'));
    await symlink('/nowhere', join(app, 'dangling'));
    const seen: string[] = [];
    build = async ({ source, name }) => {
      seen.push(name ?? '', ...(await readdir(source)).sort(), await readlink(join(source, 'dangling')));
      seen.push(String((await readFile(join(source, 'größe.txt'))).length));
      return anImage();
    };
    let sent = 0;
    const { stream, bytes } = await packFolder(app, (count) => (sent += count));
    await client.call('imageBuild', { query: { name: 'up' } }, { upload: stream });
    expect(seen).toEqual(['up', 'dangling', 'empty folder', 'größe.txt', 'link', 'run', '/nowhere', '200000']);
    expect([sent, bytes]).toEqual([200_002, 200_002]);
    expect(await readdir(join(home, 'tmp'))).toEqual([]);
  });

  test.each<[string, { name: string; type?: 'symlink' | 'link'; linkname?: string }[]]>([
    ['climbs out', [{ name: '../evil' }]],
    ['is absolute', [{ name: '/etc/evil' }]],
    ['writes through a link', [{ name: 'a', type: 'symlink', linkname: '/tmp' }, { name: 'a/evil' }]],
    [
      'links through a link',
      [
        { name: 'a', type: 'symlink', linkname: '/tmp' },
        { name: 'a/b', type: 'symlink', linkname: 'x' },
      ],
    ],
    ['holds a hard link', [{ name: 'a', type: 'link', linkname: '/etc/passwd' }]],
  ])('of an upload that %s is refused', async (_why, entries) => {
    build = fine;
    const tar = pack();
    for (const entry of entries) tar.entry(entry, entry.type ? '' : 'x');
    tar.finalize();
    const upload = client.call('imageBuild', { query: {} }, { upload: Readable.from(tar) });
    await expect(upload).rejects.toMatchObject({ code: 'bad_request' });
    expect(await readdir(join(home, 'tmp'))).toEqual([]);
  });

  test('of a path is only for the socket of the host itself', async () => {
    const afar = new Client({ kind: 'unix', path: join(home, 'remote.sock') });
    const call = afar.call('imageBuild', { query: {}, body: { path: '/etc' } });
    await expect(call).rejects.toMatchObject({ code: 'bad_request' });
    await expect(afar.call('kernelImport', { body: { path: '/etc' } })).rejects.toMatchObject({ code: 'bad_request' });
    await afar.close();
  });
});

test('a droplet comes as a file', async () => {
  const chunks = await (await client.download('imageDroplet', { params: { ref: 'hello' } })).toArray();
  expect(Buffer.concat(chunks as Buffer[]).toString()).toBe('droplet');
});

test('logs and events are streams that end when the reader does', async () => {
  const { id } = await client.call('instanceCreate', { body: { image: 'hello', name: 'talk' } });
  const events = await client.stream('events', { query: { instance: 'talk' } });
  const logs = await client.stream('logs', { params: { ref: 'talk' }, query: { follow: 'true' } });
  await client.call('instanceStart', { params: { ref: 'talk' }, body: {} });
  executor.say(id, 'hello');
  executor.say(id, 'careful', 'stderr');
  expect((await logs.next()).value).toMatchObject({ stream: 'stdout', text: 'hello' });
  expect((await logs.next()).value).toMatchObject({ stream: 'stderr', text: 'careful' });
  expect((await events.next()).value).toMatchObject({ type: 'start', name: 'talk', id });
  await logs.return(undefined);
  await events.return(undefined);
  await client.call('instanceRemove', { params: { ref: 'talk' }, query: { force: 'true' } });
});

async function raw(
  method: string,
  path: string,
  body?: object | string,
  accept = 'application/json',
): Promise<{ status: number; body: string }> {
  const dispatcher = new Agent({ connect: { socketPath: join(home, 'api.sock') } });
  try {
    const reply = await request(`http://unik${path}`, {
      method: method.toUpperCase() as 'GET',
      dispatcher,
      headers: { accept, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined || method === 'get'
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: reply.statusCode, body: await reply.body.text() };
  } finally {
    await dispatcher.destroy();
  }
}

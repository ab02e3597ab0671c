/** The Locket client against a gRPC server that answers as the real one did (test/fixtures/diego/locket). */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Server, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocketRefusal, createLocket, type Locket } from '../../../backend/wire/locket.js';
import { readIdentity, type TlsIdentity } from '../../../core/tls.js';
import { writeCerts, type CertFiles } from '../../support/diego/certs.js';
import { freePort, root } from '../../support/unik.js';

let dir: string;
let certs: CertFiles;
let tls: TlsIdentity;
const closing: (() => void)[] = [];
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'unik-locket-'));
  certs = await writeCerts(dir);
  tls = await readIdentity({ ca_file: certs.ca, cert_file: certs.cert, key_file: certs.key }, 'tls');
}, 60_000);
afterEach(() => {
  for (const close of closing.splice(0)) close();
});
afterAll(() => rm(dir, { recursive: true, force: true }));

type Answer = (method: string, request: Buffer) => Buffer | { code: number; details: string };

async function serve(port: number, answer: Answer): Promise<() => void> {
  const server = new Server();
  const raw = (bytes: Buffer): Buffer => bytes;
  const methods = ['Lock', 'Release', 'Fetch'].map((method) => [
    method,
    {
      ...{ path: `/models.Locket/${method}`, requestStream: false, responseStream: false },
      ...{ requestSerialize: raw, requestDeserialize: raw, responseSerialize: raw, responseDeserialize: raw },
    },
  ]);
  const handler = (method: string) => (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
    const given = answer(method, call.request);
    if (Buffer.isBuffer(given)) done(null, given);
    else done(given);
  };
  server.addService(
    Object.fromEntries(methods) as never,
    Object.fromEntries(['Lock', 'Release', 'Fetch'].map((method) => [method, handler(method)])),
  );
  const pair = { private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.cert) };
  await new Promise<void>((resolve, reject) => {
    const credentials = ServerCredentials.createSsl(Buffer.from(tls.ca), [pair], true);
    server.bindAsync(`127.0.0.1:${port}`, credentials, (err) => (err ? reject(err) : resolve()));
  });
  const close = (): void => server.forceShutdown();
  closing.push(close);
  return close;
}

function clientOf(port: number, change: Partial<TlsIdentity> = {}, timeout_ms = 5_000): Locket {
  const keepalive = { keepalive_time_ms: 10_000, keepalive_timeout_ms: 22_000 };
  const locket = createLocket({ address: `127.0.0.1:${port}`, tls: { ...tls, ...change }, timeout_ms, ...keepalive });
  closing.push(() => locket.close());
  return locket;
}

interface Recorded {
  request_hex: string;
  request: { resource: { key: string; owner: string; value: string; type: string } };
  grpc_error: { code: number; details: string } | null;
}
const recorded = async (name: string): Promise<Recorded> =>
  JSON.parse(await readFile(join(root, 'test/fixtures/diego/locket', `${name}.json`), 'utf8')) as Recorded;

test('a presence is locked with the very bytes of the real cell', async () => {
  const { request, request_hex } = await recorded('presence-lock');
  const port = await freePort();
  const seen: string[] = [];
  await serve(port, (_method, bytes) => {
    seen.push(bytes.toString('hex'));
    return Buffer.alloc(0);
  });
  await clientOf(port).lock({ ...request.resource, type_code: 'PRESENCE' }, 15);
  expect(seen).toEqual([request_hex]);
});

const aResource = { key: 'cell-a', owner: 'me', value: '{}', type: 'presence', type_code: 'PRESENCE' as const };

describe('what Locket refuses', () => {
  test.each([
    ['lock-collision', 'collision'],
    ['lock-ttl-zero', 'invalid'],
    ['lock-no-owner', 'invalid'],
    ['lock-type-string-only', 'not_found'],
  ])('%s is %s', async (name, kind) => {
    const { grpc_error } = await recorded(name);
    const port = await freePort();
    await serve(port, () => grpc_error ?? Buffer.alloc(0));
    const refused = await clientOf(port)
      .lock(aResource, 15)
      .catch((err: unknown) => err);
    expect(refused).toBeInstanceOf(LocketRefusal);
    expect(refused).toMatchObject({ kind, message: expect.stringContaining(grpc_error?.details ?? '?') as unknown });
  });

  test('what is not there is undefined', async () => {
    const port = await freePort();
    await serve(port, () => ({ code: status.NOT_FOUND, details: 'resource-not-found' }));
    expect(await clientOf(port).fetch('cell-a')).toBeUndefined();
  });
});

test('down, each call ends in its time; up again, the same client goes on', async () => {
  const port = await freePort();
  const locket = clientOf(port, {}, 400);
  await expect(locket.lock(aResource, 15)).rejects.toMatchObject({ code: 'peer_unreachable' });
  const stop = await serve(port, () => Buffer.alloc(0));
  const patient = async (): Promise<void> => {
    for (let tries = 0; ; tries++) {
      try {
        await locket.lock(aResource, 15);
        return;
      } catch (err) {
        if (tries > 20) throw err;
      }
    }
  };
  await patient();
  stop();
  await expect(locket.lock(aResource, 15)).rejects.toMatchObject({ code: 'peer_unreachable' });
  await serve(port, () => Buffer.alloc(0));
  await patient();
}, 30_000);

test('a reply that is none is refused, not believed', async () => {
  const port = await freePort();
  await serve(port, () => Buffer.from([0x0a, 0x05, 0x01]));
  await expect(clientOf(port).fetch('cell-a')).rejects.toMatchObject({ code: 'bad_reply' });
});

test.each(['expired', 'stranger'] as const)('with a certificate that is %s nobody gets in', async (which) => {
  const port = await freePort();
  await serve(port, () => Buffer.alloc(0));
  const [cert, key] = await Promise.all([certs[which].cert, certs[which].key].map((file) => readFile(file, 'utf8')));
  const locket = clientOf(port, { cert: cert ?? '', key: key ?? '' }, 500);
  await expect(locket.lock(aResource, 15)).rejects.toMatchObject({ code: 'peer_unreachable' });
});

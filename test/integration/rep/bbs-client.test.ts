/** The client of the BBS against a peer that answers with anything but what was asked for. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BbsError, createBbs, type BbsOptions } from '../../../backend/wire/bbs.js';
import { encode } from '../../../backend/wire/codec.js';
import { systemClock } from '../../../core/clock.js';
import { readIdentity, type TlsIdentity } from '../../../core/tls.js';
import { writeCerts, type CertFiles, type Pair } from '../../support/diego/certs.js';

let dir: string;
let certs: CertFiles;
let server: Server | undefined;
let asked: number;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'unik-bbs-client-'));
  certs = await writeCerts(dir);
}, 60_000);
afterAll(() => rm(dir, { recursive: true, force: true }));
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

const identity = ({ cert, key }: Pair): Promise<TlsIdentity> =>
  readIdentity({ ca_file: certs.ca, cert_file: cert, key_file: key }, 'tls');

/** A peer with that certificate; the client's call of it. */
async function calling(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
  { peer = certs, ...options }: Partial<BbsOptions> & { peer?: Pair } = {},
): Promise<unknown> {
  asked = 0;
  const made = createServer({ ...(await identity(peer)), requestCert: true }, (request, response) => {
    asked++;
    handle(request, response);
  }).listen(0, '127.0.0.1');
  await once(made, 'listening');
  server = made;
  const bbs = createBbs({
    url: `https://127.0.0.1:${(made.address() as AddressInfo).port}`,
    ...{ tls: await identity(certs), clock: systemClock, timeout_ms: 1_000, attempts: 2, pause_ms: 10, ...options },
  });
  return bbs.call('actual_lrps', {}).finally(() => bbs.close());
}

describe('a peer of the BBS client', () => {
  test.each<[why: string, handle: (response: ServerResponse) => void, code: string, words: RegExp]>([
    ['that refuses', (response) => void response.writeHead(503).end('upstream is away'), 'bad_reply', /status 503/],
    [
      'that refuses with a message in its body',
      (response) => void response.writeHead(500).end(encode('models.ActualLRPsResponse', { actual_lrps: [] })),
      'bad_reply',
      /status 500/,
    ],
    [
      'that sends a page',
      (response) => void response.end('<html>hello</html>'),
      'bad_reply',
      /not a models.ActualLRPsResponse/,
    ],
    [
      'that says it is something else',
      (response) => void response.setHeader('content-type', 'text/html').end('\u0000'),
      'bad_reply',
      /not a models.ActualLRPsResponse/,
    ],
    ['that never answers', () => undefined, 'peer_unreachable', /no reply within 1000 ms/],
    [
      'that never ends',
      (response) => {
        const drip = setInterval(() => response.write('\u0008'), 100);
        response.on('close', () => clearInterval(drip));
      },
      'peer_unreachable',
      /no reply within 1000 ms/,
    ],
    ['that hangs up', (response) => void response.socket?.destroy(), 'peer_unreachable', /./],
    [
      'that hangs up half-way',
      (response) => {
        response.writeHead(200, { 'content-length': 99 }).write('x', () => response.socket?.destroy());
      },
      'peer_unreachable',
      /./,
    ],
  ])('%s: refused with a code, after a second try', async (_why, handle, code, message) => {
    await expect(calling((_request, response) => handle(response))).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as unknown,
    });
    expect(asked).toBe(2);
  });

  test('that sends too much is cut off', async () => {
    const flood = (_request: unknown, response: ServerResponse): void => void response.end(Buffer.alloc(2 ** 20));
    await expect(calling(flood, { max_reply_bytes: 2 ** 16 })).rejects.toMatchObject({ code: 'peer_unreachable' });
  });

  test.each(['expired', 'stranger'] as const)('with a certificate that is %s is not asked', async (which) => {
    const call = calling((_request, response) => void response.end(), { peer: certs[which] });
    await expect(call).rejects.toMatchObject({ code: 'peer_unreachable' });
    expect(asked).toBe(0);
  });

  test('that answers is asked once', async () => {
    const reply = encode('models.ActualLRPsResponse', { actual_lrps: [{ state: 'CLAIMED' }] });
    expect(await calling((_request, response) => void response.end(reply))).toMatchObject({
      actual_lrps: [{ state: 'CLAIMED' }],
    });
    expect(asked).toBe(1);
  });

  test('that says no is not asked again', async () => {
    const reply = encode('models.ActualLRPsResponse', { error: { type: 'ResourceNotFound', message: 'none' } });
    await expect(calling((_request, response) => void response.end(reply))).rejects.toEqual(
      new BbsError('ResourceNotFound', 'none'),
    );
    expect(asked).toBe(1);
  });
});

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readFile, stat } from 'node:fs/promises';
import { request } from 'node:https';
import { connect } from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pair } from '../../support/diego/certs.js';
import { startRealDiego, type RealDiego } from '../../support/diego/real.js';
import { describePeer } from '../../support/peers.js';

describePeer('The real BBS, Locket and auctioneer', ['postgres', 'locket', 'bbs', 'auctioneer'], () => {
  let diego: RealDiego;
  beforeAll(async () => {
    diego = await startRealDiego();
  }, 60_000);
  afterAll(() => diego.close(), 30_000);

  test('the BBS answers a ping over mutual TLS', async () => {
    // PingResponse { available = 1: true }
    expect(await post('/v1/ping')).toEqual({ status: 200, body: Buffer.from([8, 1]) });
  });

  test('cells are read from Locket: none yet, so an empty reply and no error in it', async () => {
    expect(await post('/v1/cells/list.r1')).toEqual({ status: 200, body: Buffer.alloc(0) });
  });

  test.each(['expired', 'stranger'] as const)('the BBS refuses a client whose certificate is %s', async (pair) => {
    await expect(post('/v1/ping', diego.certs[pair])).rejects.toThrow(/alert|ECONNRESET|socket hang up/);
  });

  test('Locket speaks HTTP/2 over TLS', async () => {
    const port = Number(diego.locket_address.split(':')[1]);
    const socket = connect({ host: '127.0.0.1', port, ALPNProtocols: ['h2'], ...(await identity(diego.certs)) });
    const protocol = await new Promise((resolve, reject) => {
      socket.once('secureConnect', () => resolve(socket.alpnProtocol));
      socket.once('error', reject);
    });
    socket.destroy();
    expect(protocol).toBe('h2');
  });

  test('a stopped component stays down until it is started, on its old port', async () => {
    await diego.stop('bbs');
    await expect(post('/v1/ping')).rejects.toThrow('ECONNREFUSED');
    await delay(1_500);
    await expect(post('/v1/ping')).rejects.toThrow('ECONNREFUSED');
    await diego.start('bbs');
    expect((await post('/v1/ping')).status).toBe(200);
    expect((await stat(diego.log('bbs'))).size).toBeGreaterThan(0);
  }, 60_000);

  test('a BBS that lost its lock ends and is started again', async () => {
    const before = diego.exits('bbs');
    await diego.stop('locket');
    for (let waited = 0; diego.exits('bbs') === before && waited < 40_000; waited += 100) await delay(100);
    await diego.start('locket');
    expect(diego.exits('bbs')).toBeGreaterThan(before);
    const serves = (): Promise<boolean> =>
      post('/v1/cells/list.r1').then(
        ({ status }) => status === 200,
        () => false,
      );
    for (let waited = 0; !(await serves()) && waited < 40_000; waited += 100) await delay(100);
    expect(await serves()).toBe(true);
  }, 120_000);

  async function post(path: string, pair: Pair = diego.certs): Promise<{ status: number; body: Buffer }> {
    const tls = await identity({ ca: diego.certs.ca, cert: pair.cert, key: pair.key });
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/x-protobuf' };
      const sent = request(
        new URL(path, diego.bbs_url),
        { method: 'POST', headers, agent: false, ...tls },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
          response.on('error', reject);
        },
      );
      sent.setTimeout(5_000, () => sent.destroy(new Error('no reply within 5 s')));
      sent.once('error', reject);
      sent.end();
    });
  }
});

async function identity(files: {
  ca: string;
  cert: string;
  key: string;
}): Promise<Record<'ca' | 'cert' | 'key', Buffer>> {
  return { ca: await readFile(files.ca), cert: await readFile(files.cert), key: await readFile(files.key) };
}

import { expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer } from 'node:https';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as shakeHands } from 'node:tls';
import { makeAuthority, makeLeaf } from '../../support/diego/certs.js';
import { closeNow, listenOn } from '../../../core/listen.js';

test('a peer that shakes hands while the server closes does not hold it open', async () => {
  const server = createServer(await makeLeaf(await makeAuthority()), (_request, response) => response.end('served'));
  const port = await listenOn(server, { host: '127.0.0.1', port: 0 });
  const accepted = once(server, 'connection');
  const socket = connect(port, '127.0.0.1');
  await accepted;
  const closed = closeNow(server).then(() => 'closed');
  const peer = shakeHands({ socket, rejectUnauthorized: false }).on('error', () => undefined);
  const heard: Buffer[] = [];
  peer.on('data', (data: Buffer) => heard.push(data));
  peer.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  const never = new AbortController();
  const outcome = await Promise.race([closed, delay(10_000, 'still open', { signal: never.signal })]);
  never.abort();
  peer.destroy();
  expect([outcome, Buffer.concat(heard).toString()]).toEqual(['closed', '']);
});

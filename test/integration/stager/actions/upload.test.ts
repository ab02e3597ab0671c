import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { systemClock } from '../../../../core/clock.js';
import { noLog } from '../../../../core/log.js';
import { createUploader, type Uploader } from '../../../../stager/actions/upload.js';

const CONTENT = 'droplet\n'.repeat(20_000);

let dir: string;
let file: string;
let server: Server;
let base: string;
let uploader: Uploader;
let statuses: number[];
let arrived: { headers: IncomingMessage['headers']; method: string | undefined; body: string }[];
const never = new AbortController().signal;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'unik-upload-'));
  file = join(dir, 'droplet');
  await writeFile(file, CONTENT);
  statuses = [];
  arrived = [];
  server = createServer((request, response) => {
    void text(request).then((body) => {
      arrived.push({ headers: request.headers, method: request.method, body });
      response.writeHead(statuses.shift() ?? 200).end('done');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  uploader = createUploader({ clock: systemClock, log: noLog, pause_ms: 1 });
});

afterEach(async () => {
  await uploader.close();
  server.closeAllConnections();
  server.close();
  await rm(dir, { recursive: true, force: true });
});

test('the file arrives with its digests', async () => {
  const bytes = await uploader.upload({ from: file, to: `http://me:pw@${base}/v1/droplet/g?timeout=900` }, never);
  expect(bytes).toBe(CONTENT.length);
  expect(arrived).toHaveLength(1);
  expect(arrived[0]?.body === CONTENT).toBe(true);
  const digest = (algorithm: string): string => createHash(algorithm).update(CONTENT).digest('base64');
  expect(arrived[0]).toMatchObject({
    method: 'POST',
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': String(CONTENT.length),
      'content-md5': digest('md5'),
      'content-digest': `sha-256=:${digest('sha256')}:`,
      authorization: `Basic ${Buffer.from('me:pw').toString('base64')}`,
    },
  });
});

test('three attempts, the third may succeed', async () => {
  statuses = [500, 429];
  await uploader.upload({ from: file, to: `http://${base}/` }, never);
  expect(arrived.map(({ body }) => body.length)).toEqual([CONTENT.length, CONTENT.length, CONTENT.length]);
});

test('after three it has failed, without telling secrets', async () => {
  statuses = [400, 404, 503, 200];
  const failed = uploader.upload({ from: file, to: `http://me:pw@${base}/up?sig=hidden` }, never);
  await expect(failed).rejects.toMatchObject({ code: 'upload_failed', message: `http://${base}/up: status 503` });
  expect(arrived).toHaveLength(3);
});

test('a file that is not there is told of', async () => {
  const failed = uploader.upload({ from: join(dir, 'none'), to: `http://${base}/` }, never);
  await expect(failed).rejects.toMatchObject({ code: 'upload_failed' });
  expect(arrived).toHaveLength(0);
});

test('it ends when its signal fires', async () => {
  const stop = new AbortController();
  server.removeAllListeners('request');
  server.on('request', () => stop.abort(new Error('enough')));
  await expect(uploader.upload({ from: file, to: `http://${base}/` }, stop.signal)).rejects.toThrow('enough');
});

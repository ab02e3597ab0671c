import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { powerOf } from '../../../../executor/providers/arm/power.js';

let dir: string;
let hook: Server;
let asked: IncomingMessage[];
let answer: (path: string) => { status: number; body: string };
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'unik-power-'));
  asked = [];
  answer = () => ({ status: 200, body: '' });
  hook = createServer((request, response) => {
    asked.push(request);
    const { status, body } = answer(request.url ?? '');
    response.writeHead(status).end(body);
  });
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  hook.closeAllConnections();
  hook.close();
  await rm(dir, { recursive: true, force: true });
});

const url = (path: string): string => `http://127.0.0.1:${String((hook.address() as AddressInfo).port)}${path}`;
const plug = (headers_file?: string) =>
  powerOf('one', {
    kind: 'http',
    on: { url: url('/on'), method: 'POST' },
    off: { url: url('/off'), method: 'GET' },
    status: { url: url('/status'), on_when: '"POWER":"ON"' },
    headers_file,
  });

test('a plug is told by the configured method, with headers from a file', async () => {
  const file = join(dir, 'headers.json');
  await writeFile(file, JSON.stringify({ authorization: 'Basic c2VjcmV0' }));
  await plug(file).on();
  await plug(file).off();
  expect(asked.map(({ method, url: path }) => `${String(method)} ${String(path)}`)).toEqual(['POST /on', 'GET /off']);
  expect(asked[0]?.headers.authorization).toBe('Basic c2VjcmV0');
});

test('its state is what its answer says', async () => {
  answer = () => ({ status: 200, body: '{"POWER":"ON"}' });
  expect(await plug().isOn()).toBe(true);
  answer = () => ({ status: 200, body: '{"POWER":"OFF"}' });
  expect(await plug().isOn()).toBe(false);
});

test('a hook that slips once is asked again; one that fails is told without its words', async () => {
  answer = () => (asked.length < 2 ? { status: 500, body: '' } : { status: 200, body: '' });
  await plug().on();
  expect(asked).toHaveLength(2);
  answer = () => ({ status: 503, body: 'hunter2' });
  const failure = await plug()
    .off()
    .then(
      () => undefined,
      (err: unknown) => err,
    );
  expect(failure).toMatchObject({ code: 'machine_failed', message: 'power off of board one: the hook answered 503' });
});

test('commands switch, and tell the state by how they end', async () => {
  const flag = join(dir, 'on');
  const power = powerOf('one', {
    kind: 'command',
    on: ['touch', flag],
    off: ['rm', '-f', flag],
    status: ['test', '-e', flag],
  });
  expect(await power.isOn()).toBe(false);
  await power.on();
  expect(await power.isOn()).toBe(true);
  await power.off();
  expect(await power.isOn()).toBe(false);
});

test('where nobody can switch, nothing is known', async () => {
  const power = powerOf('one', { kind: 'none' });
  expect([power.canSwitch, await power.isOn()]).toEqual([false, undefined]);
});

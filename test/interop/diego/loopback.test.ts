import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { keepOnLoopback } from '../../support/diego/loopback.js';

const root = process.getuid?.() === 0;
if (!root) process.stderr.write('skipped: keeping the gorouter on loopback needs root\n');

/** A neighbour: another network namespace at the end of a veth pair. */
const SPACE = `unik-t${process.pid}`;
const [HOST, NEIGHBOUR] = ['10.254.253.1', '10.254.253.2'];

(root ? describe : describe.skip)('A program that listens on every address', () => {
  const servers: Server[] = [];
  beforeAll(async () => {
    await ip('netns', 'add', SPACE);
    await ip('link', 'add', SPACE, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', SPACE);
    await ip('addr', 'add', `${HOST}/30`, 'dev', SPACE);
    await ip('link', 'set', SPACE, 'up');
    await ip('-n', SPACE, 'addr', 'add', `${NEIGHBOUR}/30`, 'dev', 'eth0');
    await ip('-n', SPACE, 'link', 'set', 'eth0', 'up');
  }, 30_000);
  afterAll(async () => {
    for (const server of servers) server.close();
    await ip('netns', 'del', SPACE);
  });

  test('is out of reach of a neighbour while guarded, and only then; loopback is not touched', async () => {
    const [guarded, other] = [await listen(), await listen()];
    expect(await fromNeighbour(guarded)).toBe(true);
    const open = await keepOnLoopback([guarded]);
    expect(await fromNeighbour(guarded)).toBe(false);
    expect(await fromNeighbour(other)).toBe(true);
    expect(await reaches([], '127.0.0.1', guarded)).toBe(true);
    await open();
    expect(await fromNeighbour(guarded)).toBe(true);
  }, 30_000);

  async function listen(): Promise<number> {
    const server = createServer((socket) => socket.end()).listen(0, '0.0.0.0');
    servers.push(server);
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }
});

const ip = (...args: string[]): Promise<unknown> => execa('ip', args);

const fromNeighbour = (port: number): Promise<boolean> => reaches(['ip', 'netns', 'exec', SPACE], HOST, port);

/** Does a TCP connect get through within 2 s? */
async function reaches(through: string[], host: string, port: number): Promise<boolean> {
  const words = [...through, 'timeout', '2', 'bash', '-c', `exec 3<>/dev/tcp/${host}/${port}`];
  return (await execa('env', words, { reject: false })).exitCode === 0;
}

import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { resolve4 } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { run } from '../../../../core/process.js';
import type { SandboxJob } from '../../../../stager/sandbox/sandbox.js';
import { Neighbour, NEIGHBOUR } from '../../../support/neighbour.js';
import { Sandboxed } from '../../../support/sandboxed.js';

/** Most take a third of a second; a busy machine may take its time. */
jest.setTimeout(60_000);

const isRoot = process.getuid?.() === 0;
/** An address of this host that is not its loopback. */
const OWN = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

let box: Sandboxed;
let server: Server;
let taken = 0;
beforeAll(async () => {
  box = await Sandboxed.make();
  server = createServer((socket) => {
    taken += 1;
    socket.on('error', () => undefined);
    socket.end('hello\n');
  }).listen(0, '0.0.0.0');
  await once(server, 'listening');
});
afterAll(async () => {
  server.close();
  await box.remove();
});

const port = (): number => (server.address() as AddressInfo).port;
const reach = (host: string, to = port()): string =>
  `timeout 3 bash -c 'exec 3<>/dev/tcp/${host}/${to}' 2>&1 && echo REACHED`;
const online = (change: Partial<SandboxJob> = {}): Partial<SandboxJob> => ({
  network: { kind: 'filtered', deny: [] },
  ...change,
});

test('off: nothing but a loopback of its own', async () => {
  const { out } = await box.run(
    `cat /proc/net/dev | tail -n +3 | cut -d: -f1; ${reach('127.0.0.1')}; ${reach(OWN ?? '127.0.0.1')}`,
  );
  expect(out.split('\n')[0]?.trim()).toBe('lo');
  expect(out).not.toContain('REACHED');
});

describe('filtered', () => {
  test.each([
    ['the loopback of the host', '127.0.0.1'],
    ['the loopback of the host by the name the network stack has for it', '10.0.2.2'],
    ['an address of the host', OWN ?? '127.0.0.2'],
    ['another loopback address', '127.1.2.3'],
    ['the metadata service', '169.254.169.254'],
    ['this network', '0.0.0.0'],
  ])('does not reach %s', async (_what, host) => {
    const before = taken;
    const { out } = await box.run(reach(host), online());
    expect(out).not.toContain('REACHED');
    expect(out).toMatch(/refused|unreachable|No route|not permitted|prohibited/i);
    expect(taken).toBe(before);
  });

  test('cannot change its rules', async () => {
    const { code } = await box.run(
      'PATH=$PATH:/usr/sbin; nft flush ruleset || ip link set up0 down || ip addr add 192.0.2.9/24 dev up0',
      online(),
    );
    expect(code).toBeGreaterThan(0);
  });

  test('finds names as the host does', async () => {
    const lookup = 'cat /etc/resolv.conf; timeout 4 getent ahostsv4 example.com | cut -d" " -f1 | sort -u';
    const inside = await box.run(lookup, online());
    const [server, ...found] = inside.out.trim().split('\n');
    expect(server).toBe('nameserver 10.0.2.3');
    expect(found).toEqual(
      await resolve4('example.com').then(
        (all) => all.sort(),
        () => [],
      ),
    );
  });

  test('a port it listens on is not one of the host', async () => {
    const listening =
      'import socket,time\ns = socket.socket(); s.bind(("0.0.0.0", 0)); s.listen(); print(s.getsockname()[1], flush=True); time.sleep(60)';
    const stop = new AbortController();
    let refused: unknown;
    const output: SandboxJob['output'] = (_stream, bytes) => {
      const socket = connect(Number(Buffer.from(bytes).toString()), '127.0.0.1');
      socket.on('connect', () => stop.abort());
      socket.on('error', (err) => {
        refused = err;
        stop.abort();
      });
    };
    await box.run(`exec python3 -c '${listening}'`, online({ output }), stop.signal);
    expect(refused).toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('a malformed range is refused', async () => {
    const network = { kind: 'filtered', deny: ['10.0.0.0/8; flush ruleset'] } as const;
    await expect(box.run('true', { network })).rejects.toMatchObject({ code: 'bad_request' });
  });
});

if (!isRoot) console.log('skipped: what lies beyond this host is a second host beside it, which needs root');
(isRoot ? describe : describe.skip)('beyond this host', () => {
  let neighbour: Neighbour;
  beforeAll(async () => {
    neighbour = await Neighbour.start();
  }, 300_000);
  afterAll(() => neighbour.stop());
  const [to] = NEIGHBOUR.ports;

  test('a filtered job reaches others, but neither their metadata service nor a listed range, and knows at once', async () => {
    const script = `${reach(NEIGHBOUR.address, to)}; ${reach(NEIGHBOUR.metadata, to)}; ${reach(NEIGHBOUR.gateway)}`;
    // From here, both answer.
    expect((await run('bash', ['-c', script])).stdout.match(/REACHED/g)).toHaveLength(3);
    const { out } = await box.run(script, online());
    expect(out.match(/REACHED/g)).toHaveLength(1);
    expect(out).toMatch(/^REACHED/);
    const listed = { kind: 'filtered', deny: ['198.51.100.0/24'] } as const;
    const closed = await box.run(script, { network: listed });
    expect(closed.out).not.toContain('REACHED');
    expect(closed.out.match(/connect: Connection refused/g)).toHaveLength(3);
  });

  test('a job without network reaches none', async () => {
    expect((await box.run(reach(NEIGHBOUR.address, to))).out).not.toContain('REACHED');
  });
});

test('proxy: one address and port, named in the environment, even on the loopback of the host', async () => {
  const proxy = createHttpServer((request, response) => response.end(`asked for ${request.url ?? ''}\n`)).listen(
    0,
    '127.0.0.1',
  );
  await once(proxy, 'listening');
  const at = (proxy.address() as AddressInfo).port;
  const script = `python3 -c 'import urllib.request as u; print(u.urlopen("http://example.com/x").read().decode())'
    ${reach('10.0.2.2')}; ${reach('192.0.2.1', 80)}; ${reach('10.0.2.3', 53)}; echo $https_proxy`;
  const { out } = await box.run(script, { network: { kind: 'proxy', host: 'localhost', port: at } });
  proxy.close();
  expect(out).toContain('asked for http://example.com/x');
  expect(out).not.toContain('REACHED');
  expect(out).toContain(`http://10.0.2.2:${at}\n`);
});

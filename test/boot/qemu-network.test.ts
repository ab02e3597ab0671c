import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createConnection, createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { isAlive } from '../../core/process.js';
import type { MachineHandle, NetworkSpec } from '../../executor/model.js';
import type { MachineSpec } from '../../executor/providers/provider.js';
import { FILES } from '../../executor/providers/qemu/args.js';
import type { QemuProvider } from '../../executor/providers/qemu/qemu.js';
import { Qmp } from '../../executor/providers/qemu/qmp.js';
import { Machines } from '../../executor/providers/qemu/record.js';
import { lastingAddresses } from '../support/host-addresses.js';
import { NEIGHBOUR, Neighbour } from '../support/neighbour.js';
import { leftovers, makeBench, makeSpec, open, type Bench } from '../support/qemu.js';
import { makeProvider } from '../support/qemu-provider.js';

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log('skipped: the network tests make a second host beside this one, which needs root');
const PATIENCE_MS = 60_000;
const OWNER = 'test/network';
const never = new AbortController().signal;

(isRoot ? describe.each(['tap', 'user'] as const) : describe.skip.each(['tap', 'user'] as const))(
  'network %s',
  (mode) => {
    let bench: Bench;
    let home: string;
    let provider: QemuProvider;
    let neighbour: Neighbour;
    let listener: Server;

    beforeAll(async () => {
      bench = await makeBench();
      home = join(bench.dir, mode);
      provider = makeProvider(home);
      neighbour = await Neighbour.start();
      listener = createServer((peer) => peer.end()).listen(0, '0.0.0.0');
      await once(listener, 'listening');
    }, 300_000);
    afterEach(async () => {
      for (const handle of await provider.list(OWNER)) await provider.destroy(handle);
      expect(await leftovers(home)).toEqual([]);
    }, PATIENCE_MS);
    afterAll(async () => {
      provider.close();
      listener.close();
      await neighbour.stop();
      await bench.close();
    });

    const it = (what: string, body: () => Promise<void>): void => test(what, body, PATIENCE_MS * 3);
    const spec = (kind: string, key: string, network: Partial<NetworkSpec> = {}): MachineSpec =>
      makeSpec(bench, kind, { key, owner: OWNER }, { mode, ...open, ...network });
    const reaches = (handle: MachineHandle, port = 8080): Promise<boolean> =>
      provider.reaches(handle, port, 1_000, never);
    const up = async (wanted: MachineSpec): Promise<MachineHandle> => {
      const handle = await provider.start(wanted, never);
      await eventually(() => reaches(handle));
      return handle;
    };
    const ask = async (handle: MachineHandle, path: string): Promise<string> => {
      const door = provider.endpoint(handle, 8080);
      const { body } = await request(`http://${door?.host}:${door?.port}${path}`, { headersTimeout: 10_000 });
      return body.text();
    };
    const port = (): number => (listener.address() as AddressInfo).port;

    it("keeps what is the host's from the guest, and lets the rest through", async () => {
      const machine = await up(spec('web', 'one', { dns: [NEIGHBOUR.address] }));
      const other = await up(spec('web', 'two'));
      const facts = await new Machines(join(home, 'machines')).folder('two').load();

      const allowed = `/tcp/${NEIGHBOUR.address}/8000`;
      expect(await ask(machine, allowed)).toBe('open');
      expect(await ask(machine, '/resolve/box.example')).toBe('203.0.113.7');

      // Each of these takes a connection from this host, so that what stops the guest is us.
      const hostOwn = lastingAddresses(home).map((address) => `${address}/${port()}`);
      const doors = [...hostOwn, `${NEIGHBOUR.metadata}/8000`];
      for (const door of doors) expect([door, await takes(door)]).toEqual([door, true]);
      const more = ['10.0.2.2', '10.0.2.100', '10.201.0.1', '10.202.0.1', '10.202.0.5'].map(
        (address) => `${address}/${port()}`,
      );
      const neighbourMachine = [`${facts?.address}/8080`, `127.0.0.1/${other.ports[0]?.host_port}`];
      for (const door of [...doors, ...more, ...neighbourMachine]) {
        expect([door, await ask(machine, `/tcp/${door}`)]).not.toEqual([door, 'open']);
      }
    });

    it('gives QEMU an account of its own, no rights, and bounds', async () => {
      const { data } = await up(spec('web', 'confined'));
      const of = (name: string): Promise<string> => readFile(`/proc/${String(data['pid'])}/${name}`, 'utf8');
      const [status, limits, environment] = await Promise.all(['status', 'limits', 'environ'].map(of));
      expect(status).not.toMatch(/^Uid:.*\t0(\t|$)/m);
      for (const right of ['CapPrm', 'CapBnd', 'CapAmb']) expect(status).toContain(`${right}:\t0000000000000000\n`);
      expect(status).toContain('NoNewPrivs:\t1\n');
      expect(limits).toMatch(/^Max file size +268435456 +unlimited /m);
      expect(limits).toMatch(/^Max core file size +0 +0 /m);
      expect(environment?.split('\0').map((line) => line.split('=')[0])).toEqual(
        expect.arrayContaining(['PATH', 'LC_ALL']),
      );
      expect(environment).not.toMatch(/BLOCKS|OWNER|DEVICES|NETWORK/);
    });

    it('denies what the policy denies and opens only what its rules open', async () => {
      const denied = await up(spec('web', 'denied', { egress: { deny: ['198.51.100.0/24'] } }));
      expect(await ask(denied, `/tcp/${NEIGHBOUR.address}/8000`)).not.toBe('open');
      const ruled = await up(
        spec('web', 'ruled', {
          egress: {
            deny: [],
            rules: [
              { protocol: 'tcp', destinations: ['198.51.100.0-198.51.100.9'], ports: [{ start: 8000, end: 8000 }] },
            ],
          },
        }),
      );
      expect(await ask(ruled, `/tcp/${NEIGHBOUR.address}/8000`)).toBe('open');
      expect(await ask(ruled, `/tcp/${NEIGHBOUR.address}/8001`)).not.toBe('open');
    });

    it('tells a guest that listens from one that does not, and from one that stands still', async () => {
      const web = await up(spec('web', 'web'));
      const deaf = await provider.start(spec('deaf', 'deaf'), never);
      await eventually(async () => (await controlLog('deaf')).includes('started'));
      expect(await reaches(deaf)).toBe(false);
      expect(await reaches(web, 8081)).toBe(false);
      const qmp = await Qmp.connect(join(home, 'machines/web/vm'), FILES.commands);
      await qmp.execute('stop');
      expect(await reaches(web)).toBe(false);
      const door = provider.endpoint(web, 8080);
      await expect(
        request(`http://${door?.host}:${door?.port}/`, { headersTimeout: 2_000 }).then(({ statusCode }) => statusCode),
      ).rejects.toThrow();
      await qmp.execute('cont');
      await eventually(() => reaches(web));
      qmp.close();
    });

    it('publishes ports to this host and to others', async () => {
      const wanted = spec('web', 'published');
      const everywhere = { host_address: '0.0.0.0', host_port: 0, guest_port: 8080, protocol: 'tcp' as const };
      const machine = await up({ ...wanted, ports: [...wanted.ports, everywhere] });
      const [local, open] = machine.ports.map(({ host_port }) => host_port);
      for (const place of [`127.0.0.1:${local}`, `127.0.0.1:${open}`, `${NEIGHBOUR.gateway}:${open}`]) {
        expect([place, await (await request(`http://${place}/`)).body.text()]).toEqual([place, 'ok']);
      }
      expect(await neighbour.fetch(`http://${NEIGHBOUR.gateway}:${open}/`)).toBe('ok');
      await expect(neighbour.fetch(`http://${NEIGHBOUR.gateway}:${local}/`)).rejects.toThrow();
      const again = { ...spec('web', 'again'), ports: [{ ...everywhere, host_port: local ?? 0 }] };
      await expect(provider.start(again, never)).rejects.toMatchObject({
        code: 'port_taken',
        message: expect.stringContaining('published') as unknown,
      });
    });

    it('notices at once that QEMU was killed, and takes its helper along', async () => {
      const machine = await up(spec('web', 'killed'));
      const record = await new Machines(join(home, 'machines')).folder('killed').load();
      const exit = provider.exits(machine, never);
      const before = performance.now();
      process.kill(record?.qemu?.pid ?? 0, 'SIGKILL');
      expect(await exit).toMatchObject({ reason: 'killed' });
      expect(performance.now() - before).toBeLessThan(1_000);
      const slirp = record?.slirp;
      if (mode === 'user') expect(slirp).toBeDefined();
      if (slirp) await eventually(async () => !(await isAlive(slirp)));
    });

    const controlLog = (key: string): Promise<string> =>
      readFile(join(home, 'machines', key, 'vm', FILES.control), 'utf8');
  },
);

function takes(door: string): Promise<boolean> {
  const [host = '', port = ''] = door.split('/');
  return new Promise((resolve) => {
    const socket = createConnection({ host, port: Number(port) });
    const finish = (answer: boolean) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', finish(true));
    socket.once('error', finish(false));
  });
}

async function eventually(claim: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await claim())) {
    if (Date.now() > deadline) throw new Error('did not come true in time');
    await delay(50);
  }
}

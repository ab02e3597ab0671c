/** Machines of qemu on a bridge of the host, with addresses of ours and of a DHCP server. */
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { execa } from 'execa';
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import type { MachineHandle } from '../../../executor/model.js';
import type { BridgeConfig } from '../../../executor/providers/qemu/net/bridge.js';
import { QemuProvider } from '../../../executor/providers/qemu/qemu.js';
import { leftovers, makeBench, makeSpec, open, type Bench } from '../../support/qemu.js';
import { until } from '../../support/unik.js';

jest.setTimeout(240_000);

const OWNER = 'bridge/test';
const never = (): AbortSignal => new AbortController().signal;
const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write('skipped: network bridge: it needs root\n');

(isRoot ? describe : describe.skip)('network bridge', () => {
  let bench: Bench;
  let home: string;
  let provider: QemuProvider;
  let bridge: string;
  let subnet: string;
  let dnsmasq: ChildProcess;

  beforeAll(async () => {
    bench = await makeBench();
    const id = createHash('sha256').update(bench.dir).digest('hex');
    bridge = `ukbr-${id.slice(0, 8)}`;
    subnet = freeSubnet(parseInt(id.slice(0, 2), 16));
    await execa('ip', ['link', 'add', bridge, 'type', 'bridge']);
    await execa('ip', ['addr', 'add', `${subnet}.1/24`, 'dev', bridge]);
    await execa('ip', ['link', 'set', bridge, 'up']);
    const args = [
      '--keep-in-foreground',
      '--port=0',
      `--interface=${bridge}`,
      '--bind-interfaces',
      '--conf-file=/dev/null',
    ];
    const lease = [`--dhcp-range=${subnet}.100,${subnet}.150,1h`, `--dhcp-leasefile=${join(bench.dir, 'leases')}`];
    dnsmasq = spawn('dnsmasq', [
      ...args,
      ...lease,
      '--except-interface=lo',
      '--pid-file=',
      '--user=root',
      '--log-facility=/dev/null',
    ]);
  });
  afterEach(async () => {
    for (const handle of await provider.list(OWNER)) await provider.destroy(handle);
    expect(await leftovers(home)).toEqual([]);
    provider.close();
    await rm(home, { recursive: true, force: true });
  });
  afterAll(async () => {
    dnsmasq.kill('SIGTERM');
    await execa('ip', ['link', 'del', bridge]);
    await bench.close();
  });

  const use = async (addresses: BridgeConfig['addresses']): Promise<void> => {
    home = await mkdtemp(join(bench.dir, 'home-'));
    const path = process.env['PATH'] ?? '';
    const on = { name: bridge, addresses };
    provider = new QemuProvider({ home, clock: systemClock, log: noLog, path, accelerator: 'tcg', bridge: on });
  };
  const start = (key: string): Promise<MachineHandle> =>
    provider.start(makeSpec(bench, 'web', { key, owner: OWNER }, { mode: 'bridge', ...open }), never());
  const ask = async (handle: MachineHandle, path = '/'): Promise<string> => {
    await until(
      'it listens',
      async () => ((await provider.reaches(handle, 8080, 2_000, never())) ? true : undefined),
      90_000,
    );
    const { host = '', port = 0 } = provider.endpoint(handle, 8080) ?? {};
    return new Promise((resolve, reject) => {
      get({ host, port, path }, (reply) => {
        let body = '';
        reply.on('data', (bytes: Buffer) => (body += bytes.toString()));
        reply.on('end', () => resolve(body));
      }).on('error', reject);
    });
  };

  test('addresses of ours: two machines, each at its own, and each sees the other', async () => {
    await use({ subnet: `${subnet}.0/24`, first: `${subnet}.20`, last: `${subnet}.29`, dns: [] });
    const [one, two] = [await start('one'), await start('two')];
    expect([one.address, two.address]).toEqual([`${subnet}.20`, `${subnet}.21`]);
    expect(one.ports).toMatchObject([{ host_address: `${subnet}.20`, host_port: 8080, guest_port: 8080 }]);
    expect(await ask(one)).toBe('ok');
    expect(await ask(two)).toBe('ok');
    expect(await ask(one, `/tcp/${subnet}.21/8080`)).toBe('open');
    // The host is not for guests.
    expect(await ask(one, `/tcp/${subnet}.1/22`)).not.toBe('open');
    await provider.stop(one, 30_000);
    expect(await provider.exits(one, never())).toMatchObject({ reason: 'exited', code: 0 });
  });

  test('an address of a DHCP server’s is known when the start is done', async () => {
    await use('dhcp');
    const handle = await start('leased');
    expect(handle.address).toMatch(new RegExp(`^${subnet.replaceAll('.', '\\.')}\\.1[0-4]\\d$|\\.150$`));
    expect(await ask(handle)).toBe('ok');
    expect(existsSync(`/sys/class/net/${bridge}/brif`)).toBe(true);
  });
});

function freeSubnet(from: number): string {
  const addresses = Object.values(networkInterfaces()).flatMap((of = []) => of.map(({ address }) => address));
  for (let n = 0; n < 256; n++) {
    const subnet = `10.97.${String((from + n) % 256)}`;
    if (!addresses.some((address) => address.startsWith(`${subnet}.`))) return subnet;
  }
  throw new Error('no network of 10.97.0.0/16 is free');
}

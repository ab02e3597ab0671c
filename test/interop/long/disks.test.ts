import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { noLog } from '../../../core/log.js';
import { systemClock } from '../../../core/clock.js';
import { STUB, writeDisk } from '../../../executor/disks/disk.js';
import { convertDisk } from '../../../executor/disks/formats.js';
import { DISK_FORMATS, type DiskFormat } from '../../../executor/disks/format-names.js';
import { configSeed } from '../../../executor/disks/seed.js';
import { linux } from '../../../executor/guests/linux/index.js';
import { KernelCatalogue, type StoredKernel } from '../../../executor/kernels/catalogue.js';
import { anImage } from '../../support/executor.js';
import { PeerNet, whyNoPeerNet, type DiskBootOptions } from '../../support/peer-net.js';
import { makeBench, type Bench } from '../../support/qemu.js';

const why = whyNoPeerNet();
if (why !== undefined) process.stderr.write(`skipped: disks: ${why}\n`);

const QEMU: Record<DiskFormat, string> = {
  ...{ raw: 'raw', qcow2: 'qcow2', 'vmdk-stream': 'vmdk', 'vmdk-flat': 'vmdk', vdi: 'vdi', vhd: 'vpc' },
};

(why === undefined ? describe : describe.skip)('one disk, many machines', () => {
  let bench: Bench;
  let net: PeerNet;
  let generic: StoredKernel;
  const paths = new Map<string, string>();

  beforeAll(async () => {
    bench = await makeBench();
    net = await PeerNet.open();
    generic = await genericKernel(join(bench.dir, 'generic'));
    for (const [name, kernel] of [
      ['cloud', bench.kernel],
      ['generic', generic],
    ] as const) {
      const boot = linux.plan({ ...anImage(), dir: bench.dir }, kernel, { memory_mb: 64, disk_mb: 64, cpus: 1 }).disk;
      if (!boot) throw new Error('the guest boots from no disk');
      const path = join(bench.dir, `${name}.raw`);
      const order = { ...boot, cmdline: `${boot.cmdline} unik.config=seed`, scratch_mb: 64, stub: STUB, seed: name };
      await writeDisk(order, path);
      paths.set(name, path);
    }
  }, 300_000);
  afterAll(async () => {
    await net.close();
    await bench.close();
  });

  test.each(DISK_FORMATS)('%s is sound to qemu-img', async (format) => {
    const [file = ''] = await convertDisk(paths.get('cloud') ?? '', format, join(bench.dir, `disk.${format}`));
    const info = JSON.parse((await execa('qemu-img', ['info', '--output=json', file])).stdout) as Record<
      string,
      unknown
    >;
    // A fixed VHD has its mark at its end, where nobody looks unasked.
    expect(info['format']).toBe(format === 'vhd' ? 'raw' : QEMU[format]);
    if (format !== 'raw' && format !== 'vhd' && format !== 'vmdk-flat') {
      expect((await execa('qemu-img', ['check', file])).stdout).toMatch(/No errors/);
    }
    const same = await execa('qemu-img', ['compare', '-F', QEMU[format], '-f', 'raw', paths.get('cloud') ?? '', file]);
    expect(same.stdout).toMatch(/identical/);
  });

  type Machine = Pick<DiskBootOptions, 'controller' | 'nic' | 'firmware'> & { format: DiskFormat; kernel: string };
  test.each<Machine>([
    { format: 'raw', controller: 'nvme', nic: 'virtio-net-pci', kernel: 'cloud' },
    { format: 'raw', controller: 'nvme', nic: 'virtio-net-pci', firmware: 'uefi', kernel: 'cloud' },
    { format: 'qcow2', controller: 'virtio', nic: 'virtio-net-pci', kernel: 'cloud' },
    { format: 'vdi', controller: 'ide', nic: 'virtio-net-pci', kernel: 'cloud' },
    { format: 'vmdk-stream', controller: 'ide', nic: 'virtio-net-pci', kernel: 'cloud' },
    { format: 'vmdk-flat', controller: 'pvscsi', nic: 'vmxnet3', kernel: 'cloud' },
    { format: 'vhd', controller: 'ide', nic: 'e1000', kernel: 'generic' },
    { format: 'raw', controller: 'sata', nic: 'e1000', firmware: 'uefi', kernel: 'generic' },
  ])(
    'boots and answers: $format on $controller, $nic, firmware $firmware, kernel $kernel',
    async ({ format, kernel, ...devices }) => {
      const name = `${kernel}-${format}-${devices.controller}`;
      const [disk = ''] = await convertDisk(paths.get(kernel) ?? '', format, join(bench.dir, name));
      const ip = net.address();
      const config = {
        ...{ schema: 1, argv: ['/bin/app', 'web'], cwd: '/', env: {}, hostname: 'box', mounts: [], files: {} },
        net: { mode: 'static', address: `${ip}/24`, gateway: net.gateway, dns: [] },
      };
      const seed = join(bench.dir, `${name}.iso`);
      await writeFile(seed, configSeed(JSON.stringify(config)));
      const serialFile = join(bench.dir, `${name}.serial`);
      const machine = await net.boot({ ...devices, disk, format: QEMU[format], ram_mb: 256, ip, seed, serialFile });
      try {
        const answer = await answerOf(ip, 150_000);
        // Why not is on its serial line.
        if (answer !== 'ok') throw new Error(`${answer}: ${(await readFile(serialFile, 'latin1')).slice(-3_000)}`);
      } finally {
        await machine.powerOff();
      }
    },
    180_000,
  );

  test('is sparse', async () => {
    const { size, blocks } = await stat(paths.get('cloud') ?? '');
    expect(blocks * 512).toBeLessThan(size / 2);
  });
});

async function answerOf(ip: string, patience_ms: number): Promise<string> {
  const deadline = Date.now() + patience_ms;
  for (;;) {
    const answer = await fetch(`http://${ip}:8080/`, { signal: AbortSignal.timeout(3_000) }).catch(() => undefined);
    if (answer?.ok) return answer.text();
    if (Date.now() > deadline) return 'no answer';
    await delay(250);
  }
}

/** Drivers for SATA and e1000 are in the distribution's kernel for machines of any kind. */
async function genericKernel(dir: string): Promise<StoredKernel> {
  const { unpackKernel, GENERIC } = (await import(join(import.meta.dirname, '../../../scripts/guest-init.mjs'))) as {
    unpackKernel: (root: string, log: (line: string) => void, what: unknown) => string;
    GENERIC: unknown;
  };
  const root = join(import.meta.dirname, '../../..');
  const folder = unpackKernel(root, (line) => process.stderr.write(`${line}\n`), GENERIC);
  expect(await readdir(folder)).toContain('boot');
  const catalogue = new KernelCatalogue({ dir, clock: systemClock, log: noLog });
  return catalogue.importLinux(folder, join(root, '.assets/guest/init'));
}

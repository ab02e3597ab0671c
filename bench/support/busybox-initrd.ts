import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cpio } from '../../executor/guests/linux/initramfs.js';
import { readLinuxSource } from '../../executor/kernels/linux-source.js';

/** What busybox httpd needs of a kernel: a PCI network card. */
const MODULES = ['virtio', 'virtio_ring', 'virtio_pci', 'virtio_net'];

/** An initial file system with busybox httpd as init, nothing of ours in it: the baseline for our own init. */
export async function busyboxInitrd(root: string): Promise<Uint8Array> {
  const kernels = join(root, '.assets/kernel');
  const release =
    (await readdir(kernels))
      .filter((name) => !name.startsWith('.'))
      .sort()
      .at(-1) ?? '';
  const { modules } = await readLinuxSource(join(kernels, release));
  const network = modules.filter(
    ({ name }) => /^(virtio|failover|net_failover)/.test(name) && !/blk|console/.test(name),
  );
  const missing = MODULES.filter((name) => !network.some((module) => module.name.startsWith(name)));
  if (missing.length > 0) console.error(`built into this kernel: ${missing.join(', ')}`);
  const init = `#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
for m in ${network.map(({ name }) => name).join(' ')}; do $b insmod /modules/$m; done
$b ip link set lo up
$b ip link set eth0 up
$b ip addr add 10.0.2.15/24 dev eth0
$b ip route add default via 10.0.2.2
exec $b httpd -f -p 8080 -h /www
`;
  const file = (path: string, data: Uint8Array, mode = 0o100755): { path: string; mode: number; data: Uint8Array } => ({
    path,
    mode,
    data,
  });
  const folder = (path: string): { path: string; mode: number } => ({ path, mode: 0o040755 });
  return cpio([
    ...['bin', 'dev', 'proc', 'modules', 'www'].map(folder),
    { path: 'dev/console', mode: 0o020600, device: { major: 5, minor: 1 } },
    file('bin/busybox', await readFile('/bin/busybox')),
    file('www/index.html', await readFile(join(root, 'bench/hello/index.html')), 0o100644),
    ...network.map(({ name, data }) => file(`modules/${name}`, data, 0o100644)),
    file('init', Buffer.from(init)),
  ]);
}

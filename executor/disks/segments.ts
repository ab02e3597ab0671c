import { gzipSync } from 'node:zlib';
import { cpio } from '../guests/linux/initramfs.js';
import { S_IFDIR, S_IFREG } from '../images/cpio/format.js';

/**
 * The initramfs of a machine that has no disk: what the kernel entry has, and as further segments the image's root and
 * the instance config. Later ones add to the former; each begins at a multiple of four bytes.
 */
export function initramfsWith(initrd: Uint8Array, root: Uint8Array, config: string): Buffer {
  const rootSegment = cpio([{ path: 'root.erofs', mode: S_IFREG | 0o400, data: root }]);
  const configSegment = cpio([
    { path: 'unik', mode: S_IFDIR | 0o700 },
    { path: 'unik/config.json', mode: S_IFREG | 0o400, data: Buffer.from(config) },
  ]);
  // It goes over a slow wire, and half of it is worth a moment of ours.
  return Buffer.concat([padded(initrd), padded(gzipSync(rootSegment, { level: 1 })), configSegment]);
}

function padded(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, new Uint8Array(-bytes.length & 3)]);
}

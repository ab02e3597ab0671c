import { chmod, chown, constants, copyFile, link, open, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, toUnikError, UnikError } from '../../../core/errors.js';
import { run } from '../../../core/process.js';
import type { BootPlan, Configured } from '../../guests/guest.js';
import { FILES } from './args.js';
import { LAUNCH_FILES } from './launch.js';
import type { NetPlan } from './net/network.js';
import { writeOverlay } from './overlay.js';
import type { MachineFolder } from './record.js';

/** What the launcher expects to find beside QEMU's folder. */
export async function writeNetFiles(folder: MachineFolder, inside: NonNullable<NetPlan['inside']>): Promise<void> {
  const write = (name: string, text: string): Promise<void> =>
    writeFile(join(folder.path, name), text, { mode: 0o600 });
  await write(LAUNCH_FILES.nft, inside.nft);
  await write(LAUNCH_FILES.ip, inside.ip.join('\n'));
  await write(LAUNCH_FILES.uplink, inside.uplink.join('\n'));
}

/** Everything QEMU expects to find in its folder. Throws image_truncated, disk_full. */
export async function layOut(
  folder: MachineFolder,
  boot: BootPlan,
  account: { root: boolean; uid: number },
  configured: Configured = {},
): Promise<void> {
  const vm = (name: string): string => join(folder.vm, name);
  try {
    if (boot.kernel !== undefined) await share(boot.kernel, vm(FILES.kernel));
    if (boot.initrd !== undefined) await share(boot.initrd, vm(FILES.initrd));
    for (const [index, { source }] of boot.disks.entries()) {
      if (source.kind === 'scratch') await scratch(vm(FILES.scratch(index)), source.bytes, account);
      else await share(source.path, vm(FILES.scratch(index)));
      if (source.kind !== 'overlay') continue;
      const patches = configured.patches?.filter(({ disk }) => disk === index) ?? [];
      await writeOverlay(vm(FILES.overlay(index)), {
        base: FILES.scratch(index),
        dir: folder.vm,
        bytes: source.bytes,
        patches,
      });
      await handOver(vm(FILES.overlay(index)), account);
    }
    if (configured.file) {
      await writeFile(vm(FILES.firmware), configured.file, { mode: 0o600, flag: 'wx' });
      await handOver(vm(FILES.firmware), account);
    }
    for (const name of [FILES.serial, FILES.out, FILES.err, FILES.control]) await logFile(vm(name), account);
    if (account.root) {
      // QEMU may make its sockets here; the sticky bit keeps it from replacing what is ours.
      await chown(folder.vm, 0, account.uid);
      await chmod(folder.vm, 0o1770);
    }
  } catch (err) {
    throw toUnikError(err, 'machine_failed');
  }
}

/** The same file under a second name; a copy where that cannot be. Readable for QEMU: the folders above it are closed. */
async function share(source: string, target: string): Promise<void> {
  const file = await stat(source).catch((err: unknown) => {
    throw new UnikError('image_truncated', `${source} is missing`, { cause: err });
  });
  try {
    await link(source, target);
  } catch (err) {
    if (!['EXDEV', 'EPERM', 'EMLINK'].some((code) => hasCode(err, code))) throw err;
    await copyFile(source, target, constants.COPYFILE_FICLONE);
  }
  if ((file.mode & 0o004) === 0) await chmod(target, file.mode | 0o444);
}

/** An empty ext4, sparse: a few hundred kB and some 10 ms whatever its size. It lives as long as the machine: no journal. */
async function scratch(path: string, bytes: number, { root, uid }: { root: boolean; uid: number }): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.truncate(bytes);
    if (root) await file.chown(uid, uid);
  } finally {
    await file.close();
  }
  const lean = ['-O', '^has_journal,^resize_inode', '-E', 'lazy_itable_init=1,nodiscard', '-m', '0'];
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', ...lean, path], { code: 'machine_failed' });
}

/** QEMU's own. */
async function handOver(path: string, { root, uid }: { root: boolean; uid: number }): Promise<void> {
  if (root) await chown(path, uid, uid);
}

/** Ours, so that nobody replaces it; QEMU may append. */
async function logFile(path: string, { root, uid }: { root: boolean; uid: number }): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    if (!root) return;
    await file.chown(0, uid);
    await file.chmod(0o660);
  } finally {
    await file.close();
  }
}

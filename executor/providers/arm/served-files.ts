import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UnikError } from '../../../core/errors.js';
import { initramfsWith } from '../../disks/segments.js';
import type { InstanceNet } from '../../model.js';
import type { MachineOrder } from '../../remote/driver.js';
import { boardWords, bootFiles, idleFiles, INITRD, KERNEL, PI_KERNEL, type BootFiles } from './boot-files.js';
import type { ArmConfig, Board } from './config.js';

/** What a board is given to boot: kernel, initramfs with root and instance config, and what its loader wants to read about them. */
export async function filesToBoot(
  board: Board,
  { boot, config }: Pick<MachineOrder, 'boot' | 'config'>,
  setup: ArmConfig,
): Promise<BootFiles> {
  const [kernel, initrd, root] = await Promise.all([boot.kernel, boot.initrd, boot.root].map((path) => readFile(path)));
  if (!kernel || !initrd || !root) throw new UnikError('internal', 'a boot of less than three parts');
  const told = JSON.parse(config) as { net: InstanceNet };
  const document = { ...told, devices: board.devices, net: netOf(board, told.net.dns, setup) };
  const cmdline = [boot.cmdline, ...boardWords(board, setup)].join(' ');
  return new Map([
    ...bootFiles(board, cmdline),
    ...(await firmwareFiles(board)),
    [board.loader === 'raspberry-pi' ? PI_KERNEL : KERNEL, kernel],
    [INITRD, initramfsWith(initrd, root, JSON.stringify(document))],
  ]);
}

/** For a board that finds nothing to boot and waits: one that restarts must not run an application a second time. */
export async function filesToIdle(board: Board, idle_s: number): Promise<BootFiles> {
  return new Map([...idleFiles(board, idle_s), ...(await firmwareFiles(board))]);
}

function netOf({ address }: Board, dns: readonly string[], { subnet, gateway, dns: own }: ArmConfig): InstanceNet {
  const [, bits = ''] = subnet.split('/');
  const route = gateway === undefined ? {} : { gateway };
  return { mode: 'static', address: `${address}/${bits}`, ...route, dns: [...(dns.length > 0 ? dns : own)] };
}

/** As they are, below the board's own folder. */
async function firmwareFiles({ firmware: folder }: Board): Promise<[string, Uint8Array][]> {
  if (folder === undefined) return [];
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(
    files.map(async (path): Promise<[string, Uint8Array]> => [path.slice(folder.length + 1), await readFile(path)]),
  );
}

import { parseControl, type ControlEvent } from '../../guests/linux/control.js';
import { FILES } from './args.js';
import type { MachineFolder } from './record.js';

/** A result takes 68 KB of it at most. */
const CONTROL_BYTES = 128 * 1024;

export async function readControl(folder: MachineFolder): Promise<ControlEvent[]> {
  return parseControl(await readStart(folder, FILES.control, CONTROL_BYTES));
}

export async function serialTail(folder: MachineFolder): Promise<string> {
  const file = await folder.openVm(FILES.serial);
  if (!file) return '';
  try {
    const { size } = await file.stat();
    const want = Math.min(size, 16 * 1024);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(want), 0, want, size - want);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function readStart(folder: MachineFolder, name: string, bytes: number): Promise<string> {
  const file = await folder.openVm(name);
  if (!file) return '';
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

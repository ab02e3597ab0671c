import { mkdir, open, readdir, readFile, rename, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { constants } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { hasCode } from '../../../core/errors.js';
import { NETWORK_MODES, TENDERS, type Key, type MachineHandle, type NetworkMode } from '../../model.js';
import { option } from './args.js';

const identity = z.object({ pid: z.number().int(), start_ticks: z.string() });

/** `machine.json`: what we must know to find a machine again, stop it and clear it away. No secret is in it. */
export const recordSchema = z.object({
  schema: z.literal(1),
  key: z.string(),
  owner: z.string(),
  name: z.string(),
  /** Numbers uid and subnets: no two living machines of a home share it. */
  slot: z.number().int(),
  /** The account QEMU runs as. */
  uid: z.number().int(),
  mode: z.enum(NETWORK_MODES),
  /** `none`: a process of this host's, under no hypervisor. */
  accelerator: z.enum(['kvm', 'tcg', 'none']),
  /** What runs it in place of QEMU; below `qemu` stands for that. */
  tender: z.enum(TENDERS).optional(),
  ports: z.array(
    z.object({
      host_address: z.string(),
      host_port: z.number().int(),
      guest_port: z.number().int(),
      protocol: z.enum(['tcp', 'udp']),
    }),
  ),
  /** Address of the guest inside its network; reachable from here by `tap` only. */
  address: z.string().optional(),
  /** Written before QEMU gets going; absent: the start was cut short. */
  qemu: identity.optional(),
  slirp: identity.optional(),
  scratch_bytes: z.number().int(),
  /** How the guest is talked to; absent: by virtio-serial. */
  guest: z
    .object({
      channel: z.enum(['virtio-serial', 'firmware', 'serial']),
      power_button: z.boolean(),
      exit_port: z.boolean(),
      end_signs: z.array(
        z.object({
          pattern: z.string(),
          reason: z.enum([
            ...(['exited', 'killed', 'oom', 'kernel_panic'] as const),
            ...(['boot_failed', 'unhealthy', 'start_timeout', 'stopped'] as const),
          ]),
          message: z.string(),
          hasCode: z.boolean().optional(),
          cut: z.boolean().optional(),
        }),
      ),
    })
    .optional(),
});
export type MachineRecord = z.infer<typeof recordSchema>;

const RECORD = 'machine.json';

/**
 * A machine's folder. The folder is ours alone; `vm` inside is QEMU's working directory, where its account may make
 * files (its sockets) and may not replace ours (sticky), so that a QEMU taken over by its guest cannot lead us astray.
 */
export class MachineFolder {
  readonly vm: string;
  constructor(readonly path: string) {
    this.vm = join(path, 'vm');
  }

  /** Waits for the start to be done, holds the secrets of the instance, and is gone once the guest has it. */
  get config(): string {
    return join(this.path, 'config.json');
  }

  /** What QEMU exited with, or the signal that ended it, where a process of ours was there to hear it. */
  get exitStatus(): string {
    return join(this.path, 'exit-status');
  }

  async make(): Promise<void> {
    // What a start that was cut off may have left.
    await this.remove();
    await mkdir(this.vm, { recursive: true, mode: 0o700 });
  }

  /** Old or new, never half. Not forced to the disk, which takes longer than all else: a power cut ends the machine too. */
  async save(record: MachineRecord): Promise<void> {
    const path = join(this.path, RECORD);
    await writeFile(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
    await rename(`${path}.new`, path);
  }

  /** Undefined: no such machine, or one that was never recorded. */
  async load(): Promise<MachineRecord | undefined> {
    let text: string;
    try {
      text = await readFile(join(this.path, RECORD), 'utf8');
    } catch (err) {
      if (hasCode(err, 'ENOENT') || hasCode(err, 'ENOTDIR')) return undefined;
      throw err;
    }
    // Empty after a power cut.
    return text === '' ? undefined : recordSchema.parse(JSON.parse(text));
  }

  /** Opens a file that QEMU writes: never through a link, never blocking on what is not a file. */
  async openVm(name: string): Promise<FileHandle | undefined> {
    let file: FileHandle;
    try {
      file = await open(join(this.vm, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (err) {
      if (hasCode(err, 'ENOENT') || hasCode(err, 'ELOOP')) return undefined;
      throw err;
    }
    if ((await file.stat()).isFile()) return file;
    await file.close();
    return undefined;
  }

  remove(): Promise<void> {
    return rm(this.path, { recursive: true, force: true });
  }
}

/** All machines under one home. */
export class Machines {
  constructor(readonly root: string) {}

  folder(key: Key): MachineFolder {
    return new MachineFolder(join(this.root, option(key)));
  }

  /**
   * `unrecorded`: folders that have no record, `broken`: those whose record cannot be read (another version's, or
   * edited by hand); both by name.
   */
  async all(): Promise<{ records: MachineRecord[]; unrecorded: string[]; broken: string[] }> {
    const found = { records: [] as MachineRecord[], unrecorded: [] as string[], broken: [] as string[] };
    for (const name of await names(this.root)) {
      try {
        const record = await new MachineFolder(join(this.root, name)).load();
        if (record) found.records.push(record);
        else found.unrecorded.push(name);
      } catch {
        found.broken.push(name);
      }
    }
    return found;
  }
}

async function names(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return [];
    throw err;
  }
}

/** Reachable from this host. */
const hasOwnAddress = (mode: NetworkMode): boolean => mode === 'tap' || mode === 'bridge';

export function handleOf(record: MachineRecord): MachineHandle {
  return {
    provider: 'qemu',
    key: record.key,
    owner: record.owner,
    version: 1,
    ports: record.ports,
    ...(hasOwnAddress(record.mode) && record.address !== undefined ? { address: record.address } : {}),
    data: { network: record.mode, accelerator: record.accelerator, ...(record.qemu ? { pid: record.qemu.pid } : {}) },
  };
}

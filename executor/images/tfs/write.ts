import { UnikError } from '../../../core/errors.js';
import { Output } from '../erofs/output.js';
import type { WrittenRoot } from '../erofs/write.js';
import { writeContent } from '../content.js';
import { sorted } from '../paths.js';
import { fromKey, type FileEntry, type FolderEntry } from '../tree.js';
import { Encoder, tuple, type Tuple } from './encode.js';
import { extension, SECTOR, sectorsFor } from './log.js';

/** Fixed, as everything in an image is a function of its files. */
const UUID = Buffer.from('756e696b2d726f6f742d7466732d3031', 'hex');
/** Pages: what the kernel reads at a time. */
const ALIGN = 8;

/**
 * Where the last extension of the log lies, in sectors from the start of the file system, and how long it is: one place
 * in every image, so that an instance's configuration is put there without knowing the rest. Then one sector for
 * /etc/resolv.conf, whose content is the instance's as well.
 */
export const INSTANCE = { sector: ALIGN, sectors: 256, resolver: ALIGN + 256 } as const;
/** Sectors before the first file's. */
const FIRST = INSTANCE.resolver + ALIGN;
export const RESOLVER_PATH = '/etc/resolv.conf';

export interface TfsOptions {
  /** Zeros before the file system, bytes. */
  before?: number;
  signal?: AbortSignal | undefined;
}

/**
 * Writes the tree as a TFS file system to the new file `path`. Modes and owners have no place in it. The log is written
 * last and named by the first sector: files are read once, in order. Throws source_unreadable, disk_full.
 */
export async function writeTfs(
  tree: FolderEntry,
  path: string,
  { before = 0, signal }: TfsOptions = {},
): Promise<WrittenRoot> {
  const plan = new Plan();
  const encoder = new Encoder();
  encoder.value(tuple({ children: plan.folder(tree, '') }));
  const record = encoder.bytes();
  const log = { sector: plan.end, sectors: sectorsFor(record.length) };
  const last = { sector: INSTANCE.sector, sectors: INSTANCE.sectors };

  const out = new Output(path);
  try {
    const zerosTo = async (sector: number): Promise<void> => {
      for (const end = before + sector * SECTOR; out.bytes < end;) {
        await out.write(new Uint8Array(Math.min(end - out.bytes, 1024 * 1024)));
      }
    };
    await zerosTo(0);
    await out.write(needed(extension(1, { uuid: UUID, link: log })));
    await zerosTo(INSTANCE.sector);
    await out.write(needed(extension(INSTANCE.sectors, {})));
    for (const { sector, entry } of plan.files) {
      signal?.throwIfAborted();
      await zerosTo(sector);
      await writeContent(entry, out);
    }
    await zerosTo(log.sector);
    await out.write(needed(extension(log.sectors, { record, link: last })));
    return { digest: await out.finish(), bytes: out.bytes };
  } finally {
    await out.close();
  }
}

/** Gives every file its place. */
class Plan {
  readonly files: { sector: number; entry: FileEntry }[] = [];
  end = FIRST;

  folder(folder: FolderEntry, path: string): Tuple {
    const children: Tuple = new Map();
    for (const [name, entry] of sorted(folder)) {
      const inside = `${path}/${fromKey(name)}`;
      if (entry.kind === 'folder') children.set(name, tuple({ children: this.folder(entry, inside) }));
      else if (inside === RESOLVER_PATH) children.set(name, fileAt(INSTANCE.resolver, SECTOR));
      else if (entry.kind === 'symlink') children.set(name, tuple({ linktarget: entry.target }));
      else children.set(name, this.#file(entry));
    }
    return children;
  }

  #file(entry: FileEntry): Tuple {
    if (entry.bytes === 0) return tuple({ extents: new Map(), filelength: 0 });
    const sector = this.end;
    this.files.push({ sector, entry });
    this.end += Math.ceil(Math.ceil(entry.bytes / SECTOR) / ALIGN) * ALIGN;
    return fileAt(sector, entry.bytes);
  }
}

function fileAt(sector: number, bytes: number): Tuple {
  const length = Math.ceil(bytes / SECTOR);
  const allocated = Math.ceil(length / ALIGN) * ALIGN;
  return tuple({ extents: tuple({ '0': tuple({ offset: sector, length, allocated }) }), filelength: bytes });
}

function needed(bytes: Buffer | undefined): Buffer {
  if (bytes) return bytes;
  throw new UnikError('internal', 'a log extension does not hold what it was made for');
}

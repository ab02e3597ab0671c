import { execa } from 'execa';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RootTree } from '../../executor/images/tree.js';

const ROOT = join(import.meta.dirname, '../..');

/** A folder that is gone with `remove`. */
export async function scratch(): Promise<{ dir: string; remove: () => Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'unik-guests-'));
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) };
}

/** Builds the test kernel of `test/fixtures/guests/kernel.S` into `dir`; gives its path. */
export async function compileKernel(dir: string): Promise<string> {
  const file = join(dir, 'kernel.elf');
  const flags = [
    '-m32',
    '-nostdlib',
    '-static',
    '-Wl,-Ttext=0x100000',
    '-Wl,--build-id=none',
    '-Wl,-z,noseparate-code',
  ];
  await execa('gcc', [...flags, '-o', file, join(ROOT, 'test/fixtures/guests/kernel.S')]);
  return file;
}

/** A tree with a bit of everything that writers must carry. */
export function sampleTree(): RootTree {
  const tree = new RootTree();
  tree.folder('/tmp', 0o1777);
  tree.folder('/etc');
  tree.file('/etc/hosts', '127.0.0.1 localhost\n');
  tree.file('/etc/resolv.conf', '');
  tree.file('/bin/app', Buffer.alloc(10_000, 'A'), 0o755);
  tree.file('/empty', '');
  tree.file('/deep/er/still/größe.txt', 'größe\n', 0o600);
  tree.symlink('/lib', 'usr/lib');
  tree.file('/usr/lib/libx.so', Buffer.alloc(4096, 7), 0o644);
  return tree;
}

/** Numbers that look random and are the same each time. */
export function noise(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

/** The bytes with a few of them changed, cut or added. */
export function mutated(bytes: Uint8Array, random: () => number): Buffer {
  let changed = Buffer.from(bytes);
  for (let n = 1 + (random() % 4); n > 0; n--) {
    const at = random() % Math.max(1, changed.length);
    switch (random() % 5) {
      case 0:
        changed[at] = random() & 0xff;
        break;
      case 1:
        changed[at] = (changed[at] ?? 0) ^ (1 << (random() % 8));
        break;
      case 2:
        changed = changed.subarray(0, at);
        break;
      case 3:
        changed.fill(random() & 1 ? 0xff : 0, at, Math.min(changed.length, at + (random() % 16)));
        break;
      default:
        if (changed.length >= 4) changed.writeUInt32LE(random(), Math.min(at, changed.length - 4));
    }
  }
  return changed;
}

import type { Entry, FolderEntry } from '../tree.js';
import * as format from './format.js';
import { BLOCK, SLOT, type DataLayout, type Dirent } from './format.js';

/** One inode with its place in the image. */
export interface Placed {
  entry: Entry;
  /** Counts from 1. */
  ino: number;
  links: number;
  size: number;
  inodeBytes: number;
  /** Files of the application have a time; what comes from this host needs none. */
  hasTime: boolean;
  layout: DataLayout;
  /** Blocks of data that lie apart from the inode, and the first of them. */
  blocks: number;
  block: number;
  /** Offset of the inode in the image divided by the slot size; set when its block is closed. */
  nid: number;
  /** Of a folder: its names, split over blocks; each points at its inode. */
  dirents?: (Dirent & { to: Placed })[][];
}

/** What the writer does, in the order of the image: one after the other, nothing is skipped or patched. */
export type WriteStep =
  | { write: 'data'; of: Placed }
  /** One block of inodes, each with the data that fits behind it. */
  | { write: 'inodes'; of: Placed[] };

export interface Layout {
  steps: WriteStep[];
  root: Placed;
  inodes: number;
  /** Blocks of the whole image, the superblock's included. */
  blocks: number;
}

/**
 * Gives every inode and every byte its place. Pure: the same tree gives the same layout.
 *
 * The image can be written front to back: an open block collects inodes while the data of those inodes that does
 * not fit beside them goes out; when the next inode does not fit, the block is closed and takes the next place.
 * Folders come first, so that walking them reads few blocks.
 */
export function layOut(tree: FolderEntry): Layout {
  const { root, all } = gather(tree);
  const steps: WriteStep[] = [];
  // Block 0 is the superblock's.
  let next = 1;
  let open: Placed[] = [];
  let used = 0;
  const close = (): void => {
    if (open.length === 0) return;
    let at = next * BLOCK;
    for (const placed of open) {
      placed.nid = at / SLOT;
      at += spaceOf(placed);
    }
    steps.push({ write: 'inodes', of: open });
    next += 1;
    open = [];
    used = 0;
  };
  for (const placed of all) {
    const space = spaceOf(placed);
    if (used + space > BLOCK) close();
    if (placed.blocks > 0) {
      placed.block = next;
      next += placed.blocks;
      steps.push({ write: 'data', of: placed });
    }
    open.push(placed);
    used += space;
    // The superblock has 16 bits for the root's number: its block must be among the first.
    if (placed === root) close();
  }
  close();
  return { steps, root, inodes: all.length, blocks: next };
}

/** Bytes that an inode and the data behind it take in a block of inodes. */
export function spaceOf(placed: Placed): number {
  return Math.ceil((placed.inodeBytes + inlineBytes(placed)) / SLOT) * SLOT;
}

/** Bytes of data right behind the inode. */
export function inlineBytes(placed: Placed): number {
  return placed.layout === 'inline' ? placed.size - placed.blocks * BLOCK : 0;
}

function gather(tree: FolderEntry): { root: Placed; all: Placed[] } {
  const folders: Placed[] = [];
  const others: Placed[] = [];
  const visit = (entry: FolderEntry, parent: Placed | undefined): Placed => {
    const self = unplaced(entry, 0, 2);
    folders.push(self);
    const dirents: (Dirent & { to: Placed })[] = [
      { name: '.', type: 'folder', to: self },
      { name: '..', type: 'folder', to: parent ?? self },
    ];
    for (const [name, child] of sorted(entry)) {
      if (child.kind === 'folder') {
        self.links += 1;
        dirents.push({ name, type: 'folder', to: visit(child, self) });
      } else {
        const leaf = unplaced(child, child.kind === 'file' ? child.bytes : child.target.length, 1);
        others.push(leaf);
        dirents.push({ name, type: child.kind, to: leaf });
      }
    }
    // The kernel looks names up by halving: `.` and `..` stand in byte order among them.
    dirents.sort((a, b) => (a.name < b.name ? -1 : 1));
    self.dirents = format.splitDirents(dirents);
    chooseLayout(self, format.direntBytes(self.dirents));
    return self;
  };
  const root = visit(tree, undefined);
  const all = [...folders, ...others];
  all.forEach((placed, index) => (placed.ino = index + 1));
  return { root, all };
}

function sorted(folder: FolderEntry): [string, Entry][] {
  return [...folder.children].sort(([a], [b]) => (a < b ? -1 : 1));
}

function unplaced(entry: Entry, size: number, links: number): Placed {
  const placed: Placed = {
    entry,
    ino: 0,
    links,
    size: 0,
    inodeBytes: format.COMPACT_INODE,
    hasTime: entry.kind === 'file' && entry.uid !== 0,
    layout: 'plain',
    blocks: 0,
    block: 0,
    nid: 0,
  };
  chooseLayout(placed, size);
  return placed;
}

/** The rest of the last block goes behind the inode when both fit into one block. */
function chooseLayout(placed: Placed, size: number): void {
  placed.size = size;
  placed.inodeBytes = format.inodeBytes({ size, links: placed.links, hasTime: placed.hasTime });
  const rest = size % BLOCK;
  placed.layout = rest > 0 && placed.inodeBytes + rest <= BLOCK ? 'inline' : 'plain';
  placed.blocks = placed.layout === 'inline' ? Math.floor(size / BLOCK) : Math.ceil(size / BLOCK);
}

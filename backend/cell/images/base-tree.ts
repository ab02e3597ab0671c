import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { which } from '../../../core/which.js';
import { addBase } from '../../../executor/images/base.js';
import { libraryClosure } from '../../../executor/images/closure.js';
import { readElf } from '../../../executor/images/elf.js';
import { addHostFile } from '../../../executor/images/host-files.js';
import { readFolder } from '../../../executor/images/read-folder.js';
import { ROOT, RootTree, VCAP, type Entry } from '../../../executor/images/tree.js';
import type { Arch } from '../../../executor/model.js';

/** What downloads are put on when an image is made at start. */
export interface BaseTree {
  /** Changes when the base does. */
  fingerprint: string;
  /** A tree of one's own to add to. */
  make(): Promise<RootTree>;
}

/** Programs that a shell script may take for granted; those that this host has are taken. */
const PROGRAMS = [
  ...['bash', 'sh', 'dash', 'busybox', 'curl', 'wget', 'nc', 'tar', 'gzip', 'unzip', 'sed', 'grep', 'egrep', 'fgrep'],
  ...['awk', 'mawk', 'find', 'xargs', 'ps', 'pgrep', 'pkill', 'free', 'top', 'uptime', 'hostname', 'getent', 'ldd'],
  ...['which', 'ip', 'ss', 'openssl', 'diff', 'cmp', 'file', 'less', 'more', 'kill', 'mount', 'su', 'setpriv'],
  ...['fusermount'],
  // coreutils
  ...['[', 'arch', 'b2sum', 'base32', 'base64', 'basename', 'cat', 'chgrp', 'chmod', 'chown', 'cksum', 'comm', 'cp'],
  ...['csplit', 'cut', 'date', 'dd', 'df', 'dir', 'dirname', 'du', 'echo', 'env', 'expand', 'expr', 'factor', 'false'],
  ...['fmt', 'fold', 'groups', 'head', 'hostid', 'id', 'install', 'join', 'link', 'ln', 'logname', 'ls', 'md5sum'],
  ...['mkdir', 'mkfifo', 'mknod', 'mktemp', 'mv', 'nice', 'nl', 'nohup', 'nproc', 'numfmt', 'od', 'paste', 'pathchk'],
  ...['pr', 'printenv', 'printf', 'pwd', 'readlink', 'realpath', 'rm', 'rmdir', 'seq', 'sha1sum', 'sha256sum'],
  ...['sha512sum', 'shuf', 'sleep', 'sort', 'split', 'stat', 'stdbuf', 'stty', 'sum', 'sync', 'tac', 'tail', 'tee'],
  ...['test', 'timeout', 'touch', 'tr', 'true', 'truncate', 'tsort', 'tty', 'uname', 'unexpand', 'uniq', 'unlink'],
  ...['users', 'vdir', 'wc', 'who', 'whoami', 'yes'],
];
/** What busybox stands in for where the host lacks the program. */
const APPLETS = ['nc', 'wget', 'unzip', 'ip', 'ps', 'awk', 'less', 'hostname', 'vi', 'ping', 'nslookup', 'httpd'];

/** The programs of this host with their libraries. `path`: where they are looked for, as PATH. */
export function hostBase(path: string, arch: Arch): BaseTree {
  const programs = PROGRAMS.flatMap((name) => which(name, path) ?? []);
  const elf = programs.filter((file) => readElf(file)?.arch === arch);
  const files = [...programs, ...libraryClosure(elf, { arch })];
  const busybox = which('busybox', path);
  const parts = files.map((file) => {
    const { size, mtimeMs } = statSync(file);
    return [file, size, mtimeMs];
  });
  return {
    fingerprint: digestOf(parts),
    make: async () => {
      const tree = beginning();
      for (const file of files) addHostFile(tree, file);
      for (const name of busybox === undefined ? [] : APPLETS) {
        const at = `/usr/bin/${name}`;
        if (tree.get(at) === undefined && tree.get(`/bin/${name}`) === undefined) tree.symlink(at, busybox ?? '');
      }
      return finished(tree);
    },
  };
}

/** A root file system that the operator unpacked to `folder`. */
export async function folderBase(folder: string): Promise<BaseTree> {
  const make = async (): Promise<RootTree> => {
    const tree = beginning();
    await readFolder(folder, tree.root, { owner: ROOT });
    return finished(tree);
  };
  return { fingerprint: digestOf(summary((await make()).root)), make };
}

function beginning(): RootTree {
  const tree = new RootTree();
  addBase(tree);
  tree.folder('/root', 0o700);
  return tree;
}

/** What every Cloud Foundry container has. */
function finished(tree: RootTree): RootTree {
  tree.folder('/tmp/lifecycle', 0o755, VCAP);
  if (tree.get('/bin') === undefined) tree.symlink('/bin', 'usr/bin');
  if (tree.get('/sbin') === undefined) tree.symlink('/sbin', 'usr/sbin');
  return tree;
}

function summary(entry: Entry): unknown {
  if (entry.kind === 'folder') return [...entry.children].map(([name, child]) => [name, summary(child)]);
  if (entry.kind === 'symlink') return entry.target.toString('latin1');
  if (entry.content instanceof Uint8Array) return entry.bytes;
  return [entry.bytes, statSync(entry.content.path).mtimeMs];
}

const digestOf = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');

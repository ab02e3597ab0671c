import { UnikError } from '../core/errors.js';
import { APP_DIR } from '../executor/images/base.js';
import { addHostFileAt } from '../executor/images/host-files.js';
import type { RootTree } from '../executor/images/tree.js';
import { resolveCommand, type ResolveContext, type ResolvedProcess } from './resolve.js';

const BUSYBOX = '/usr/bin/busybox';
const APPLETS = ['sh', 'cat', 'ls', 'echo', 'env', 'sleep', 'test', 'mkdir', 'cp', 'mv', 'rm', 'sed', 'grep', 'id'];

/** What a command may name when the image has a shell. */
export const SHELL_PROGRAMS: Readonly<Record<string, string[]>> = {
  sh: ['/bin/sh'],
  ash: ['/bin/sh'],
  dash: ['/bin/sh'],
  // Most scripts that say bash need no more than this; one that does says so on its first start.
  bash: ['/bin/sh'],
};

/** Puts busybox with the usual small programs into the image. Throws toolchain_missing. */
export function addShell(tree: RootTree, which: (name: string) => string | undefined): void {
  const busybox = which('busybox');
  if (busybox === undefined)
    throw new UnikError('toolchain_missing', 'the shell is that of busybox-static: install it');
  addHostFileAt(tree, busybox, BUSYBOX);
  if (tree.get('/bin') === undefined) tree.symlink('/bin', 'usr/bin');
  for (const applet of APPLETS) tree.symlink(`/usr/bin/${applet}`, 'busybox');
}

/** A command in an image that has a shell: one program still runs without it, all else as `sh -c`. */
export function inShell(line: string, context: ResolveContext): ResolvedProcess {
  try {
    return resolveCommand(line, context);
  } catch (err) {
    if (!(err instanceof UnikError) || (err.code !== 'command_needs_shell' && err.code !== 'program_missing'))
      throw err;
    return { argv: ['/bin/sh', '-c', line], cwd: APP_DIR, expand: false, env: {} };
  }
}

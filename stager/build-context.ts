import { cp, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { run } from '../core/process.js';
import { which, whichAll } from '../core/which.js';
import type { BuildContext } from './toolchains/toolchain.js';

interface Surroundings {
  /** Folder for what is kept between builds. */
  work: string;
  env: NodeJS.ProcessEnv;
  node?: string;
  progress: (line: string) => void;
  signal?: AbortSignal;
}

/** What a toolchain is given: the application, the tools of this host, and where to leave what it makes. */
export function buildContext(
  app: Pick<
    BuildContext,
    'dir' | 'source' | 'scratch' | 'arch' | 'root' | 'commands' | 'placed' | 'positionIndependent' | 'oneProcess'
  > & {
    skip: (path: string, isFolder: boolean) => boolean;
  },
  { work, env, node = process.execPath, progress, signal }: Surroundings,
): BuildContext {
  const { dir, scratch, skip, ...rest } = app;
  const copyOf = join(scratch, 'app');
  let copied: Promise<string> | undefined;
  const copy = async (): Promise<string> => {
    await cp(dir, copyOf, {
      recursive: true,
      verbatimSymlinks: true,
      filter: async (from) => {
        const stats = await stat(from).catch(() => undefined);
        if (stats && !stats.isFile() && !stats.isDirectory()) return false;
        return !skip(relative(dir, from), stats?.isDirectory() ?? false);
      },
    });
    return copyOf;
  };
  return {
    ...rest,
    dir,
    scratch,
    node,
    cache: join(work, 'cache'),
    copy: () => (copied ??= copy()),
    which: (name) => which(name, env['PATH'] ?? ''),
    whichAll: (name) => whichAll(name, env['PATH'] ?? ''),
    progress,
    tool: async (file, args, { cwd = scratch, env: more = {}, quiet = false } = {}) => {
      const { stdout } = await run(file, args, {
        cwd,
        env: { ...env, ...more },
        timeout_ms: 30 * 60_000,
        code: 'toolchain_failed',
        signal,
        ...(quiet ? {} : { onLine: (line: string) => progress(`  ${line}`) }),
      });
      return stdout;
    },
  };
}

import { constants } from 'node:fs';
import { mkdir, open, realpath, rm, type FileHandle } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { hasCode, messageOf, UnikError } from '../../core/errors.js';
import { run } from '../../core/process.js';
import type { SandboxMount } from '../sandbox/sandbox.js';

const HOME = '/home/vcap';
/** What a task may write, by where it sees it: our folder of it. */
const PLACES = { '/tmp': 'tmp', [HOME]: 'home' } as const;

/**
 * The folders of one staging task. Code that nobody trusts may have written to them, so each step of a path is opened
 * from the one before, and none may be a link.
 */
export class Scratch {
  private constructor(private readonly folder: string) {}

  /** `folder` must not exist, or be left over. */
  static async make(folder: string): Promise<Scratch> {
    const scratch = new Scratch(folder);
    await scratch.remove();
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const real = new Scratch(await realpath(folder));
    for (const name of Object.values(PLACES)) await mkdir(join(real.folder, name), { mode: 0o755 });
    return real;
  }

  get mounts(): SandboxMount[] {
    return Object.entries(PLACES).map(([inside, name]) => ({ host: join(this.folder, name), inside, writable: true }));
  }

  /** The folder that a task sees at `path`, made where it is missing. Close it. Throws bad_request. */
  openFolder(path: string): Promise<FileHandle> {
    return this.#walk(path, (parent, name) => stepInto(parent, name, true));
  }

  /** The file that a task sees at `path`, to read. Close it. Throws not_found, bad_request for what is no plain file. */
  async openFile(path: string): Promise<FileHandle> {
    const handle = await this.#walk(path, (parent, name, last) =>
      last ? openAt(parent, name, constants.O_NONBLOCK) : stepInto(parent, name, false),
    );
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
    throw new UnikError('bad_request', `${path} is not a file`);
  }

  /** All of it, whoever owns it now. */
  async remove(): Promise<void> {
    try {
      await rm(this.folder, { recursive: true, force: true });
    } catch (err) {
      if (!hasCode(err, 'EACCES')) throw err;
      // Build tools make folders that even their owner may not write.
      await run('chmod', ['-R', 'u+rwX', '--', this.folder], { code: 'internal' });
      await rm(this.folder, { recursive: true, force: true });
    }
  }

  async #walk(
    path: string,
    step: (parent: FileHandle, name: string, last: boolean) => Promise<FileHandle>,
  ): Promise<FileHandle> {
    const { place, names } = locate(path);
    let at = await open(join(this.folder, place), DIRECTORY);
    for (const [index, name] of names.entries()) {
      const parent = at;
      try {
        at = await step(parent, name, index === names.length - 1);
      } catch (err) {
        if (hasCode(err, 'ENOENT')) throw new UnikError('not_found', `there is no ${path}`, { cause: err });
        if (!hasCode(err, 'ELOOP') && !hasCode(err, 'ENOTDIR')) throw err;
        throw new UnikError('bad_request', `${path} leads through a link or a file: ${messageOf(err)}`);
      } finally {
        await parent.close();
      }
    }
    return at;
  }
}

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;

/** An open file by a name that can be opened again, for as long as it is open. */
export const nameOf = (handle: FileHandle): string => `/proc/self/fd/${handle.fd}`;

/** A relative path is one below the home. Throws bad_request for what no task may write. */
export function locate(path: string): { place: string; names: string[] } {
  const whole = posix.resolve(HOME, path);
  for (const [inside, place] of Object.entries(PLACES)) {
    if (whole === inside || whole.startsWith(`${inside}/`)) {
      return { place, names: whole.slice(inside.length).split('/').filter(Boolean) };
    }
  }
  throw new UnikError(
    'bad_request',
    `${path} is outside ${Object.keys(PLACES).join(' and ')}, where staging may write`,
  );
}

async function stepInto(parent: FileHandle, name: string, make: boolean): Promise<FileHandle> {
  if (make) {
    await mkdir(join(nameOf(parent), name), { mode: 0o755 }).catch((err: unknown) => {
      if (!hasCode(err, 'EEXIST')) throw err;
    });
  }
  return openAt(parent, name, constants.O_DIRECTORY);
}

function openAt(parent: FileHandle, name: string, flags: number): Promise<FileHandle> {
  return open(join(nameOf(parent), name), constants.O_RDONLY | constants.O_NOFOLLOW | flags);
}

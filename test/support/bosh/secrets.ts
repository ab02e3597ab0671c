/** Looks for secrets where others than root and the job could read them. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Where a secret is seen, one line each: command lines of all processes of this host, the VM's logs, and every file of
 * jobs, logs, pid files and data below `dir` that others may read. Files of root's or the job's own may hold it.
 */
export function exposures(dir: string, secrets: Record<string, string>): string[] {
  const seen = (where: string, bytes: Buffer): string[] =>
    Object.entries(secrets).flatMap(([name, secret]) => (bytes.includes(secret) ? [`${name}: ${where}`] : []));
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => seen(`command line of process ${pid}`, readOr(`/proc/${pid}/cmdline`)));
  const files = ['data/jobs', 'data/unik-cell', 'sys'].flatMap((folder) =>
    filesBelow(join(dir, folder)).flatMap((file) => {
      const logged = file.includes('/sys/log/');
      return logged || isOpen(dir, file) ? seen(file.slice(dir.length + 1), readOr(file)) : [];
    }),
  );
  return [...processes, ...files];
}

/** May others than owner and group read it: the file itself and each folder on the way. */
function isOpen(dir: string, file: string): boolean {
  if ((modeOf(file) & 0o004) === 0) return false;
  const folders = file.slice(dir.length + 1).split('/');
  return folders.slice(0, -1).every((_, depth) => (modeOf(join(dir, ...folders.slice(0, depth + 1))) & 0o001) !== 0);
}

const modeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mode ?? 0;

/** A process or a file may be gone by now. */
function readOr(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}

function filesBelow(folder: string): string[] {
  if (!statSync(folder, { throwIfNoEntry: false })) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size)
    .filter((entry) => (modeOf(join(entry.parentPath, entry.name)) & 0o170000) === 0o100000)
    .map((entry) => join(entry.parentPath, entry.name));
}

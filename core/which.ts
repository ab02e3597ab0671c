import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/** All programs of this name in the absolute folders of a PATH, each once, the first first. */
export function whichAll(name: string, path: string): string[] {
  if (isAbsolute(name)) return isProgram(name) ? [name] : [];
  const folders = path.split(delimiter).filter(isAbsolute);
  return [...new Set(folders)].map((folder) => join(folder, name)).filter(isProgram);
}

/** Undefined: there is none. */
export function which(name: string, path: string): string | undefined {
  return whichAll(name, path)[0];
}

function isProgram(path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

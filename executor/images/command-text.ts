import { DOLLAR } from './expand.js';
import type { Image } from './image.js';

/** A process as the command line that means it. */
export function commandText({ argv, expand }: Image['processes'][string]): string {
  return argv.map((word) => quote(word, expand === true)).join(' ');
}

function quote(word: string, expand: boolean): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word) || (expand && /^\$[A-Za-z_]\w*$/.test(word))) return word;
  if (expand) return `"${word.replace(/["`\\]/g, '\\$&').replaceAll(DOLLAR, '\\$')}"`;
  return `'${word.replaceAll("'", "'\\''")}'`;
}

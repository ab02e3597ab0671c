import { UnikError } from '../core/errors.js';
import type { Arch } from '../executor/model.js';

const WORDS: Record<string, Arch> = { x86_64: 'x86_64', amd64: 'x86_64', aarch64: 'aarch64', arm64: 'aarch64' };

/** A processor by either of its names. Throws bad_request. */
export function readArch(word: string): Arch {
  const arch = WORDS[word];
  if (arch) return arch;
  throw new UnikError('bad_request', `processor ${word}: there are ${Object.keys(WORDS).join(', ')}`);
}

export function hostArch(): Arch {
  if (process.arch === 'x64') return 'x86_64';
  if (process.arch === 'arm64') return 'aarch64';
  throw new UnikError('arch_mismatch', `images for this processor (${process.arch}) cannot be built`);
}

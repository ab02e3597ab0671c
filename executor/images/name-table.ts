import { z } from 'zod';
import { UnikError } from '../../core/errors.js';
import { readJsonFile, writeJsonFile } from '../../core/json-file.js';
import { Turns } from '../../core/turns.js';
import { digestPattern } from './image.js';

const namesSchema = z.record(z.string(), z.string().regex(digestPattern));

/** Which image each full name points at, in one file. */
export class NameTable {
  /** Changes one after the other. */
  readonly #turns = new Turns();

  constructor(private readonly file: string) {}

  /** By full name. Throws image_invalid. */
  async read(): Promise<Record<string, string>> {
    const parsed = namesSchema.safeParse((await readJsonFile(this.file)) ?? {});
    if (!parsed.success) throw new UnikError('image_invalid', `${this.file}: ${z.prettifyError(parsed.error)}`);
    return parsed.data;
  }

  point(name: string, digest: string): Promise<void> {
    return this.#change((names) => ({ ...names, [name]: digest }));
  }

  remove(gone: readonly string[]): Promise<void> {
    return this.#change((names) => Object.fromEntries(Object.entries(names).filter(([name]) => !gone.includes(name))));
  }

  #change(change: (names: Record<string, string>) => Record<string, string>): Promise<void> {
    return this.#turns.take(async () => writeJsonFile(this.file, change(await this.read())));
  }
}

/** Names that point at this image, sorted. */
export function namesOf(names: Readonly<Record<string, string>>, digest: string): string[] {
  return Object.entries(names)
    .filter(([, to]) => to === digest)
    .map(([name]) => name)
    .sort();
}

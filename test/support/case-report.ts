import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** `scripts/interop.mjs` makes a table of these, provider by case. */
const FOLDER = join(import.meta.dirname, '../../.assets/provider-cases');

/** How the cases of one provider went. */
export class CaseReport {
  readonly #cases: Record<string, 'passed' | 'FAILED'> = {};
  constructor(private readonly provider: string) {}

  async note(what: string, body: () => Promise<void>): Promise<void> {
    this.#cases[what] = 'FAILED';
    await body();
    this.#cases[what] = 'passed';
  }

  async write(): Promise<void> {
    await mkdir(FOLDER, { recursive: true });
    await writeFile(join(FOLDER, `${this.provider.replace(/\W+/g, '-')}.json`), JSON.stringify(this.#cases, null, 2));
  }
}

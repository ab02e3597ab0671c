import { UnikError } from '../../../core/errors.js';
import type { PageApp, PageInstance, PageLine, PageSource, PageState } from '../../../localcf/page/source.js';

/** What the page shows, held by a test: change `state`, then `changed`; `print` a line; see what was pressed. */
export class HeldSource implements PageSource {
  readonly killed: string[] = [];
  readonly scaled: { process: string; instances: number }[] = [];
  readonly lines: PageLine[] = [];
  readonly #changes = new Set<() => void>();
  readonly #readers = new Set<(line: PageLine) => void>();

  constructor(public held: PageState) {}

  get watchers(): number {
    return this.#changes.size + this.#readers.size;
  }

  async state(): Promise<PageState> {
    return structuredClone(this.held);
  }

  async recentLines(): Promise<PageLine[]> {
    return [...this.lines];
  }

  onChange(changed: () => void): () => void {
    this.#changes.add(changed);
    return () => void this.#changes.delete(changed);
  }

  onLine(line: (line: PageLine) => void): () => void {
    this.#readers.add(line);
    return () => void this.#readers.delete(line);
  }

  async kill(instance: string): Promise<void> {
    if (instance === 'gone') throw new UnikError('not_found', 'there is no machine gone');
    this.killed.push(instance);
  }

  async scale(process: string, instances: number): Promise<void> {
    this.scaled.push({ process, instances });
  }

  changed(): void {
    for (const one of this.#changes) one();
  }

  print(line: Partial<PageLine> & { text: string }): void {
    const whole = { app: 'app-1', instance: null, at: Date.now(), source: 'APP/PROC/WEB', error: false, ...line };
    this.lines.push(whole);
    for (const one of this.#readers) one(whole);
  }
}

export const anInstance = (index: number, given: Partial<PageInstance> = {}): PageInstance => ({
  index,
  guid: `machine-${index}`,
  state: 'RUNNING',
  since: Date.now() - 60_000,
  boot_ms: 1_420,
  memory_bytes: 23 * 2 ** 20,
  cell: 'cell-1',
  details: null,
  ...given,
});

export const aPageApp = (list: PageInstance[], given: Partial<PageApp> = {}): PageApp => ({
  guid: 'app-1',
  name: 'hello',
  place: 'org / dev',
  started: true,
  stack: 'unik',
  guest: 'linux',
  provider: 'qemu',
  image: { digest: `sha256:3f2a91c07d4e${'0'.repeat(52)}`, bytes: 2_202_010 },
  urls: ['http://hello.127.0.0.1.nip.io:8080'],
  staging: false,
  processes: [{ guid: 'process-1', type: 'web', instances: list.length, memory_mb: 64, list }],
  ...given,
});

export const aCell = { id: 'cell-1', stacks: ['unik'], memory_mb: { total: 4_096, available: 3_712 } };

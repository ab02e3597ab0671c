import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MachineSpec } from '../../../executor/providers/provider.js';
import type { RemoteProvider } from '../../../executor/remote/remote.js';
import { makeBench, type Bench } from '../qemu.js';
import { remoteSpec } from '../remote.js';

export const OWNER = 'leak/cell';
export const never = (): AbortSignal => new AbortController().signal;

/** For tests of calls that fail: machines are only told about, so that what counts is what is asked and what is left. */
export class FaultBench {
  readonly #providers: RemoteProvider[] = [];
  #serial = 0;

  private constructor(
    readonly bench: Bench,
    private readonly top: string,
  ) {}

  static async open(): Promise<FaultBench> {
    const [bench, top] = [await makeBench(), await mkdtemp(join(tmpdir(), 'unik-faults-'))];
    await mkdir(join(top, 'home'));
    return new FaultBench(bench, top);
  }

  /** For files of the test. */
  get dir(): string {
    return this.bench.dir;
  }

  /** Of all its providers: each is as ours after a restart. */
  get home(): string {
    return join(this.top, 'home');
  }

  readonly spec = (key = `leak-${String(++this.#serial)}`): MachineSpec =>
    remoteSpec(this.bench, 'deaf', { key, owner: OWNER });

  /** Ends with the bench. */
  use(provider: RemoteProvider): RemoteProvider {
    this.#providers.push(provider);
    return provider;
  }

  /** As if our process had ended: what it began it no longer hears of. */
  closeLast(): void {
    this.#providers.at(-1)?.close();
  }

  /** The providers first: they ask the peer as long as they live. */
  async close(peer: { close(): Promise<void> }): Promise<void> {
    for (const provider of this.#providers) provider.close();
    await peer.close();
    await this.bench.close();
    await rm(this.top, { recursive: true, force: true });
  }
}

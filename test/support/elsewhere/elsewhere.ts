import type { Arch, ProviderName } from '../../../executor/model.js';

/** A provider of machines elsewhere, as its peer stands in for it; its machines are real. */
export interface Elsewhere {
  /** `provider_options` of a cell that uses it: of the provider's own name. */
  options: Record<string, unknown>;
  /** What else its cell is told. */
  cell?: { memory_mb: number; containers: number };
  /** Machines that run there now, by the peer's names. */
  living(): Promise<string[]> | string[];
  /** The provider ends one, whatever we want. */
  lose(machine: string): Promise<void>;
  /** Machines, running or not, and what is of each alone. `home`: the provider's. */
  machines(home: string): Promise<string[]> | string[];
  /** All that is there and is ours: machines, images, disks, files. `home`: the provider's. */
  left(home: string): Promise<string[]>;
  /** What must never be seen anywhere. */
  secrets: readonly string[];
  close(): Promise<void>;
}

/** A row of the tests that are the same for all of them. */
export interface ElsewhereRow {
  provider: ProviderName;
  /** Programs it needs (test/support/peers.ts). */
  peers: readonly string[];
  /** Why it cannot be had on this host, beside that. */
  lacks?(): string | undefined;
  /** What its machines run; absent: x86_64. */
  arch?: Arch;
  /** What is pushed where `samples/hello` cannot run: what its page and its log say. */
  app?: { folder: string; page: RegExp; said: RegExp };
  /** `dir`: an empty folder for it. */
  open(dir: string): Promise<Elsewhere>;
}

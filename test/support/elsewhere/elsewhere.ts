import type { ProviderName } from '../../../executor/model.js';

/** A provider of machines elsewhere, as its peer stands in for it; its machines are real. */
export interface Elsewhere {
  /** `provider_options` of a cell that uses it: of the provider's own name. */
  options: Record<string, unknown>;
  /** Machines that run there now, by the peer's names. */
  living(): Promise<string[]> | string[];
  /** The provider ends one, whatever we want. */
  lose(machine: string): Promise<void>;
  /** All that is there and is ours: machines, images, disks, files. `home`: of the cell. */
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
  /** `dir`: an empty folder for it. */
  open(dir: string): Promise<Elsewhere>;
}

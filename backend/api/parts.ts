/** What the handlers work with. `main.ts` makes one of the real things; tests make one of smaller ones. */
import type { DiskFormat } from '../../executor/disks/format-names.js';
import type { Readable } from 'node:stream';
import type { Clock } from '../../core/clock.js';
import type { UnikError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { Executor } from '../../executor/executor.js';
import type { Guest } from '../../executor/guests/guest.js';
import type { Image } from '../../executor/images/image.js';
import type { Arch, GuestName, ProviderName } from '../../executor/model.js';
import type { z } from 'zod';
import type { kernelImport, kernelPull, KernelView } from './schema/images.js';
import type { DoctorReport } from './schema/system.js';
import type { Probe, Provider } from '../../executor/providers/provider.js';
import type { Apps } from './instances/apps.js';

export type StoredImage = Image & { dir: string };

/** Images by digest, with names that point at them: what the API uses of `executor/images/store.ts`. */
export interface Images {
  list(onBroken?: (digest: string, err: UnikError) => void): Promise<(StoredImage & { names: string[] })[]>;
  get(ref: string): Promise<StoredImage>;
  names(digest: string): Promise<string[]>;
  tag(name: string, ref: string): Promise<string>;
  /** Takes a name away; with the last one, or by digest, the image goes too. */
  remove(
    ref: string,
    options: { force?: boolean; inUse?: (digest: string) => boolean },
  ): Promise<{ untagged: string[]; deleted?: string }>;
  /** Throws image_truncated or image_digest_mismatch. */
  verify(ref: string, signal?: AbortSignal): Promise<void>;
  /** Removes what an interrupted build left; gives how many. */
  sweep(): Promise<number>;
}

export interface Kernels {
  list(): Promise<KernelView[]>;
  /** Throws kernel_missing. */
  get(id: string): Promise<KernelView>;
  import(order: z.output<typeof kernelImport>): Promise<KernelView>;
  pull(order: z.output<typeof kernelPull>, signal: AbortSignal): Promise<KernelView>;
  /** Throws kernel_missing, kernel_invalid. */
  verify(id: string, signal: AbortSignal): Promise<KernelView>;
  remove(id: string): Promise<void>;
}

export interface BuildOrder {
  /** Absolute path of the application's folder. */
  source: string;
  name?: string | undefined;
  shell: boolean;
  guest?: GuestName | undefined;
  /** A kernel entry's id. */
  kernel?: string | undefined;
  arch?: Arch | undefined;
  progress: (line: string) => void;
  signal: AbortSignal;
}

export interface Parts {
  home: string;
  /** The Cloud Foundry stack this daemon serves. */
  stack: string;
  version: string;
  started_at: number;
  provider: ProviderName;
  /** The default provider's probe, cached by the provider. */
  probe: (signal: AbortSignal) => Promise<Probe>;
  providers: ReadonlyMap<ProviderName, Provider>;
  guests: ReadonlyMap<GuestName, Guest>;
  /** Providers that a guest runs on. */
  pairings: (guest: GuestName) => ProviderName[];
  executor: Executor;
  apps: Apps;
  images: Images;
  kernels: Kernels;
  build: (order: BuildOrder) => Promise<StoredImage>;
  /** The image as a droplet, gzipped tar. */
  droplet: (image: StoredImage, signal: AbortSignal) => Promise<Readable>;
  /** The image as a disk that boots elsewhere. */
  disk: (
    image: StoredImage,
    format: DiskFormat,
    signal: AbortSignal,
  ) => Promise<{ filename: string; content: Readable }>;
  doctor: (signal: AbortSignal) => Promise<DoctorReport>;
  /** The probe's answer, once there is one. */
  accelerator: () => string | undefined;
  /** Once, at start, before anything is served. */
  prepare: () => Promise<void>;
  /** Ends what watches machines; they stay. */
  close: () => Promise<void>;
  /** Removes temporary files that no running job needs; gives how many. */
  sweep: () => Promise<number>;
  /** Ends the daemon, after the reply is sent. */
  exit: () => void;
  clock: Clock;
  log: Log;
}

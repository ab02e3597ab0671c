/** Stacks as rows: `cflinuxfs4`, which is known everywhere, those that cells offer, and the one that apps get which name none. */
import type { Bbs } from '../backend/wire/bbs.js';
import type { Clock } from '../core/clock.js';
import { messageOf } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { noMetadata } from './cc/model.js';
import type { Store } from './cc/store.js';

const USUAL = 'cflinuxfs4';
/** Annotation that says which endpoints `cf enable-unik APP ENDPOINT` may name for a stack. */
const ENDPOINTS = 'unik-endpoints';
/** Annotation that says where the machines of a stack run. */
const PROVIDER = 'unik-provider';

export interface StacksOptions {
  store: Store;
  bbs: Bbs;
  clock: Clock;
  log: Log;
  api_url: string;
  /** Known before any cell is. */
  expected: readonly string[];
  /** Of apps that name none. */
  default_stack: string;
}

/** Keeps looking which stacks there are; the result ends it. */
export function keepStacks(options: StacksOptions): () => Promise<void> {
  const { bbs, clock, log, expected, default_stack } = options;
  const stopping = new AbortController();
  addStacks(options, [USUAL, ...expected, default_stack]);
  const looking = (async () => {
    while (!stopping.signal.aborted) {
      try {
        const { cells } = await bbs.call('cells', undefined, { signal: stopping.signal });
        const preloaded = cells.flatMap(({ rootfs_providers }) =>
          rootfs_providers.flatMap(({ name, properties }) => (name === 'preloaded' ? properties : [])),
        );
        addStacks(options, preloaded);
      } catch (err) {
        log.debug({ reason: messageOf(err) }, 'stacks.cells-unknown');
      }
      await clock.sleep(10_000, stopping.signal).catch(() => undefined);
    }
  })();
  return async () => {
    stopping.abort();
    await looking;
  };
}

function addStacks({ store, api_url, default_stack }: StacksOptions, names: readonly string[]): void {
  const known = new Map(store.stack.all().map((row) => [row.name, row]));
  store.change((tx) => {
    for (const name of new Set(names)) {
      const row = known.get(name);
      const isOurs = name === 'unik' || name.startsWith('unik-');
      const provider = name === 'unik' ? 'qemu' : name.slice('unik-'.length);
      const annotations = isOurs ? { [ENDPOINTS]: api_url, [PROVIDER]: provider } : {};
      if (row && isOurs && row.metadata.annotations[ENDPOINTS] === undefined)
        tx.update('stack', row.guid, {
          metadata: { ...row.metadata, annotations: { ...row.metadata.annotations, ...annotations } },
        });
      if (row) continue;
      tx.insert('stack', {
        ...{ name, is_default: false, build_rootfs: name, run_rootfs: name, state: 'ACTIVE' },
        ...{ state_reason: null, description: describe(name), metadata: { ...noMetadata(), annotations } },
      });
    }
    for (const { guid, name, is_default } of store.stack.all())
      if (is_default !== (name === default_stack)) tx.update('stack', guid, { is_default: name === default_stack });
  });
}

function describe(name: string): string {
  if (name === 'unik') return 'Unikernels: each instance is a virtual machine of its own';
  if (name.startsWith('unik-')) return `Unikernels on ${name.slice('unik-'.length)}`;
  return name === USUAL ? 'Cloud Foundry Linux-based filesystem (containers)' : name;
}

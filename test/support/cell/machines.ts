/** A cell of its own with real machines, under the embedded control plane: what tests of routes and logs stand on. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Identity } from '../../../backend/wire/bbs.js';
import { startEmbeddedDiego } from '../diego/embedded.js';
import { makeUnik, processesOf, type Unik } from '../unik.js';
import { behaveDroplet, serveBlobs } from './bits.js';
import { startCell, type Cell } from './cell.js';
import { controlOf, type Control } from './control.js';
import type { Droplet } from './desired.js';

export interface Machines {
  readonly control: Control;
  readonly cell: Cell;
  /** The application that does what it is told. */
  readonly droplet: Droplet;
  readonly unik: Unik;
  /** Lines of ps about the machines' processes. */
  processes(): Promise<string[]>;
  close(): Promise<void>;
}

export async function startMachines(options: {
  /** Of the cell's file; may write files below `home`. */
  config: (home: string) => Promise<Record<string, unknown>>;
}): Promise<Machines> {
  const undo: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const unik = await makeUnik();
    undo.push(() => unik.close());
    const blobs = await serveBlobs();
    undo.push(async () => blobs.close());
    const droplet = blobs.add('behave.tgz', await behaveDroplet(unik));
    await unik(['down']);
    const diego = await startEmbeddedDiego();
    undo.push(() => diego.close());
    const control = await controlOf(diego);
    undo.push(() => control.close());
    const config = await options.config(unik.home);
    const cell = await startCell({ diego, home: unik.home, cell_id: 'cell-a', config });
    undo.push(() => cell.close());
    return { control, cell, droplet, unik, processes: () => processesOf(unik.home), close };
  } catch (err) {
    await close();
    throw err;
  }
}

/** `loggregator` of a cell's file. */
export async function loggregatorConfig(home: string, address: string, tls: Identity): Promise<object> {
  const folder = join(home, 'agent-identity');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  return {
    address,
    ca_file: await write('ca.crt', tls.ca),
    cert_file: await write('client.crt', tls.cert),
    key_file: await write('client.key', tls.key),
  };
}

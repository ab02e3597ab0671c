/** What all parts stand on: tables, bits, certificates, addresses. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../core/errors.js';
import { writeFileAtomic } from '../core/json-file.js';
import { readIdentity, type IdentityFiles, type TlsIdentity } from '../core/tls.js';
import type { Undo } from '../core/undo.js';
import { openResourceCache, type ResourceCache } from './cc/bits/resources.js';
import { Blobs } from './cc/blobs.js';
import { openStore, type Store } from './cc/store.js';
import { livingCells } from './cells.js';
import { openCertificates } from './certificates.js';
import type { LocalCfOptions } from './options.js';
import { openPorts, type Ports } from './ports.js';

export interface Ground {
  store: Store;
  blobs: Blobs;
  known_files: ResourceCache;
  /** For all that talk over TLS here. */
  tls: TlsIdentity;
  files: IdentityFiles;
  api_url: string;
  /** `api` and `router`: what users are told. */
  outer: Ports;
  /** On loopback: `bbs`, `locket`, `auctioneer`, `internal`, `agent`, `nats`, and `CELL.rep`, `CELL.admin` of each cell. */
  ports: Ports;
  /** Names of the cells, and the folder that has one of each. */
  cells: readonly string[];
  cells_folder: string;
  /** Those that a localcf before us left running. */
  living: ReadonlySet<string>;
}

const RESOURCES_BYTES = 2 * 2 ** 30;
export const LOOPBACK = '127.0.0.1';

export async function openGround({ home, config, clock }: LocalCfOptions, undo: Undo): Promise<Ground> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  const cells = Array.from({ length: config.cells }, (_, n) => `cell-${n}`);
  const outerHost = (name: string): string => (name === 'router' ? config.router : config.api).host;
  const mine = { api: config.api.port, ...(config.nats ? {} : { router: config.router.port }) };
  // Another's router has its port already.
  const outer: Ports = {
    router: config.router.port,
    ...(await openPorts(join(home, 'outer-ports.json'), outerHost, mine)),
  };
  const store = await openStore({ folder: join(home, 'cc'), clock });
  undo.push('store', () => store.close());
  const blobs = await Blobs.open(join(home, 'blobs'));
  const known_files = await openResourceCache(join(home, 'resources'), RESOURCES_BYTES);
  const certificates = await openCertificates(join(home, 'certificates'), clock.now());
  const files = config.diego?.tls ?? certificates.files;
  const cells_folder = join(home, 'cells');
  const living = await livingCells(cells_folder, cells);
  const isHeld = (name: string): boolean => living.has(name.replace(/\.(rep|admin)$/, ''));
  const names = [
    ...['bbs', 'locket', 'auctioneer', 'internal', 'agent', 'nats'],
    ...cells.flatMap((name) => [`${name}.rep`, `${name}.admin`]),
  ];
  const any = Object.fromEntries(names.map((name) => [name, 0]));
  return {
    ...{ store, blobs, known_files, files, outer, cells, cells_folder, living },
    tls: config.diego ? await readIdentity(files, 'diego.tls') : certificates.identity,
    api_url: `http://${config.api.host}:${outer['api'] ?? 0}`,
    ports: await openPorts(join(home, 'ports.json'), () => LOOPBACK, any, isHeld),
  };
}

/** Bytes that only we know, made at the first call; the file is for its owner alone. */
export async function openSecret(file: string, make: () => Buffer | string = () => randomBytes(32)): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (err) {
    if (!hasCode(err, 'ENOENT')) throw err;
    const secret = Buffer.from(make());
    await writeFileAtomic(file, secret);
    return secret;
  }
}

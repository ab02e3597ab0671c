import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEmbedded, type Embedded, type EmbeddedOptions } from '../../../localcf/bbs/index.js';
import { writeCerts, type CertFiles } from './certs.js';
import type { Diego, DiegoOptions } from './diego.js';

export interface EmbeddedDiegoOptions extends DiegoOptions, Pick<EmbeddedOptions, 'policy' | 'auction' | 'locket'> {
  /** Made before: making keys takes longer than anything else here. */
  certs?: CertFiles;
  /** Keeps its rows on disk, so that it can be stopped and started. */
  durable?: boolean;
}

/** The embedded control plane behind the face that tests know. It is one process, so a component stops with the others. */
export async function startEmbeddedDiego(options: EmbeddedDiegoOptions = {}): Promise<Diego> {
  const dir = await mkdtemp(join(tmpdir(), 'unik-embedded-'));
  const log = join(dir, 'embedded.log');
  await writeFile(log, '');
  const certs = options.certs ?? (await writeCerts(join(dir, 'certs')));
  const {
    converge_ms = 1_000,
    kick_ms = 2_000,
    expire_pending_ms = 1_800_000,
    expire_completed_ms = 120_000,
  } = options;
  const { max_task_retries: maxTaskRetries = 3, policy, auction = {}, locket = {} } = options;
  const read = (path: string): Promise<string> => readFile(path, 'utf8');
  const fixed: EmbeddedOptions = {
    home: options.durable ? join(dir, 'home') : undefined,
    tls: { ca: await read(certs.ca), cert: await read(certs.cert), key: await read(certs.key) },
    converge_ms,
    kick_task_ms: kick_ms,
    expire_pending_task_ms: expire_pending_ms,
    expire_completed_task_ms: expire_completed_ms,
    policy: { maxTaskRetries, ...policy },
    auction,
    locket,
  };
  let running: Embedded | undefined = await createEmbedded(fixed);
  const { bbs_url, locket_address, auctioneer_url } = running;
  const port = (url: string): number => Number(url.slice(url.lastIndexOf(':') + 1));
  const ports = { bbs: port(bbs_url), locket: port(locket_address), auctioneer: port(auctioneer_url) };
  const stop = async (): Promise<void> => {
    await running?.close();
    running = undefined;
  };
  return {
    kind: 'embedded',
    bbs_url,
    locket_address,
    auctioneer_url,
    certs,
    stop,
    start: async () => {
      running ??= await createEmbedded({ ...fixed, ports });
    },
    log: () => log,
    close: async () => {
      await stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A cell without a BBS that stages: containers over fake machines, real sandboxes, real downloads and uploads. */
import { mkdtemp, readdir, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeStager } from '../../../backend/cell/stager.js';
import { stagingSchema } from '../../../backend/cell/config.js';
import type { Container } from '../../../backend/cell/model.js';
import { DEFAULT_CONTEXT } from '../../../backend/convert/context.js';
import { taskOrder } from '../../../backend/convert/task.js';
import { createWords } from '../../../backend/convert/words.js';
import type { Sent } from '../../../backend/wire/codec.js';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import type { TaskDefinition } from '../../../protos/generated.js';
import { createFetcher } from '../../../stager/actions/fetch.js';
import { aReservation, CellBench, is } from '../cell.js';
import { aTaskDefinition } from '../cell/definitions.js';
import { writeCerts } from '../diego/certs.js';

export class StagingBench {
  private constructor(
    readonly home: string,
    readonly cell: CellBench,
    private readonly end: () => Promise<void>,
  ) {}

  static async open(staging: Record<string, unknown> = {}): Promise<StagingBench> {
    const home = await realpath(await mkdtemp(join(tmpdir(), 'unik-staging-')));
    const { ca, cert, key } = await writeCerts(join(home, 'certs'));
    const files = { ca_file: ca, cert_file: cert, key_file: key };
    const deps = { clock: systemClock, log: noLog };
    const fetcher = createFetcher({ folder: join(home, 'fetch'), max_bytes: 1e9, ...deps });
    const { stager, close } = await makeStager(
      {
        ...{ home, external_address: '192.0.2.7' },
        identities: { tls: files, bbs: files, locket: files, loggregator: files, nats: files },
        network: { mode: 'none', deny: [], dns: [], guest_subnet: '10.201.0.0/16', link_subnet: '10.202.0.0/16' },
      },
      stagingSchema.parse({ network: 'off', accounts: ACCOUNTS, ...staging }),
      { fetcher, kernels: [], ...deps },
    );
    const cell = await CellBench.open({ stager, words: createWords('cell-1') });
    return new StagingBench(home, cell, async () => {
      await cell.close();
      await fetcher.close();
      await close();
      await rm(home, { recursive: true, force: true });
    });
  }

  /** Runs a task; resolves when it is completed. */
  async stage(guid: string, definition: Sent<TaskDefinition>): Promise<Container> {
    this.start(guid, definition);
    const ended = await this.cell.until(guid, is('completed'));
    if (!ended) throw new Error(`container ${guid} is gone`);
    return ended;
  }

  start(guid: string, definition: Sent<TaskDefinition>): void {
    const order = taskOrder(aTaskDefinition(definition), guid, { ...DEFAULT_CONTEXT, staging: true });
    const { memory_mb = 1024, disk_mb = 1024 } = definition;
    const { trace, demand } = aReservation(guid, { memory_mb, disk_mb });
    this.cell.start(guid, order, { guid, kind: 'task', domain: 'cf-app-staging', trace, demand });
  }

  get lines(): string[] {
    return this.cell.heard.lines;
  }

  /** Scratch folders and sandboxes that are there. */
  async left(): Promise<string[]> {
    const folders = ['tasks', 'sandboxes'].map((name) => join(this.home, 'staging', name));
    return (await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])))).flat();
  }

  close(): Promise<void> {
    return this.end();
  }
}

/** Apart from those of a test beside this one. */
export const ACCOUNTS = { first: 0x7fe00000 + (process.pid % 4096) * 16, count: 16 };

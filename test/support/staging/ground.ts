/** A Diego, a cell that stages and runs machines, and what stands around them: a store, an uploader, a callback. */
import { expect } from '@jest/globals';
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { startCell, type Cell } from '../../../backend/cell/cell.js';
import { loadCellConfig } from '../../../backend/cell/config.js';
import { makeCellParts } from '../../../backend/cell/parts.js';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { unpackDroplet } from '../../../executor/images/droplet.js';
import { ImageStore, type StoredImage } from '../../../executor/images/store.js';
import { Heard } from '../cell.js';
import { configOf } from '../cell/cell.js';
import { controlOf, urlOf, type Control } from '../cell/control.js';
import { listenForCallbacks, type CallbackSink } from '../diego/callbacks.js';
import { freePorts } from '../diego/children.js';
import type { Diego } from '../diego/diego.js';
import { processesOf } from '../unik.js';
import { ownLifecycle } from './bits.js';
import { ACCOUNTS } from './bench.js';
import { startOrigin, type Blob, type Origin, type Upload } from './origin.js';
import { stagingTask, type StagingOptions } from './task.js';

/** What Cloud Controller takes (`staging_completion_handler.rb`). */
export const resultSchema = z.looseObject({
  execution_metadata: z.string(),
  lifecycle_type: z.literal('buildpack'),
  lifecycle_metadata: z.looseObject({
    detected_buildpack: z.string(),
    buildpack_key: z.string().optional(),
    buildpacks: z
      .array(z.looseObject({ key: z.string(), name: z.string().optional(), version: z.string().optional() }))
      .optional(),
  }),
  process_types: z.record(z.string(), z.string()),
  sidecars: z
    .array(
      z.looseObject({
        ...{ name: z.string(), command: z.string(), process_types: z.array(z.string()) },
        memory: z.number().int().optional(),
      }),
    )
    .nullish(),
});
export type StagingResult = z.infer<typeof resultSchema>;

const endSchema = z.looseObject({ failed: z.boolean(), failure_reason: z.string(), result: z.string() });

/** How a task ended, as the BBS told Cloud Controller, and what it said. */
export interface Ended extends z.infer<typeof endSchema> {
  /** Of source STG, as `out TEXT` or `err TEXT`. */
  said: string[];
}

export interface Staged {
  result: StagingResult;
  droplet: Upload;
  image: StoredImage;
  said: string[];
}

type TaskOptions = Omit<StagingOptions, 'guid' | 'lifecycle' | 'uploader'> & { lifecycle?: Blob };

export interface StagingGround {
  readonly home: string;
  readonly diego: Diego;
  readonly control: Control;
  readonly origin: Origin;
  /** As it ships; below the file server's path. */
  readonly lifecycle: Blob;
  /** Port of the cell's rep. */
  readonly rep_port: number;
  /** All that was said till now, as `SOURCE stream text`. */
  readonly lines: readonly string[];
  /** Has a task carried out by way of the BBS; resolves when the BBS has called back. */
  task(guid: string, options: TaskOptions): Promise<Ended>;
  /** As `task`, and it went well: the result is one that Cloud Controller takes, the droplet carries an image. */
  staged(guid: string, options: TaskOptions): Promise<Staged>;
  /** What was uploaded to an address that starts so; throws when nothing was. */
  uploadOf(path: string): Upload;
  /** The same of a droplet, with its image. */
  uploaded(path: string): Promise<Pick<Staged, 'droplet' | 'image'>>;
  /** Runs a droplet as Cloud Controller would; the instance's address. */
  run(name: string, what: Pick<Staged, 'droplet' | 'result'>, memory_mb?: number): Promise<string>;
  stop(name: string): Promise<void>;
  close(): Promise<void>;
}

/** `staging`: of the cell's configuration. */
export async function openStagingGround(
  startDiego: () => Promise<Diego>,
  staging: Record<string, unknown> = {},
): Promise<StagingGround> {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'uks-')));
  const diego = await startDiego();
  const control = await controlOf(diego);
  const origin = await startOrigin();
  const callbacks = await callbacksFor(diego);
  const lifecycle = origin.add('v1/static/unik/lifecycle.tgz', await ownLifecycle());
  const images = new ImageStore(join(home, 'unpacked'));
  const heard = new Heard();
  const { cell, rep_port } = await cellThatStages({ home, diego, heard, staging });

  const ground: StagingGround = {
    ...{ home, diego, control, origin, lifecycle, rep_port, lines: heard.lines },
    async task(guid, options) {
      const from = heard.lines.length;
      const callback = callbacks.url(guid);
      const task_definition = stagingTask({ guid, lifecycle, uploader: origin.url, callback, ...options });
      await control.bbs.call('desire_task', { task_guid: guid, domain: 'cf-app-staging', task_definition });
      const [ended] = await callbacks.wait(guid, 240_000);
      expect(ended?.body).toMatchObject({ task_guid: guid });
      const said = heard.lines.slice(from).flatMap((line) => (line.startsWith('STG ') ? [line.slice(4)] : []));
      return { ...endSchema.parse(ended?.body), said };
    },
    async staged(guid, options) {
      const { failed, failure_reason, result, said } = await ground.task(guid, options);
      expect({ failed, failure_reason, said: failed ? said : [] }).toEqual({
        ...{ failed: false, failure_reason: '', said: [] },
      });
      const parsed = resultSchema.parse(JSON.parse(result));
      expect(parsed.process_types['web']).toBeDefined();
      return { result: parsed, said, ...(await ground.uploaded(`/v1/droplet/${guid}?`)) };
    },
    uploadOf(path) {
      const upload = origin.uploads.find((one) => one.path.startsWith(path));
      if (!upload) throw new Error(`nothing was uploaded to ${path}`);
      return upload;
    },
    async uploaded(path) {
      const droplet = ground.uploadOf(path);
      return { droplet, image: await unpackDroplet(Readable.from([droplet.bytes]), images) };
    },
    async run(name, { droplet, result }, memory_mb = 64) {
      const process_guid = `run-${name}`;
      const blob = origin.add(`${name}.droplet`, droplet.bytes);
      await control.desire({
        ...{ process_guid, droplet: blob, memory_mb, disk_mb: 128, start_timeout_ms: 180_000 },
        command: result.process_types['web'] ?? '',
      });
      const [lrp] = await control.running(process_guid, 1, 240_000);
      if (!lrp) throw new Error('none runs');
      return urlOf(lrp);
    },
    async stop(name) {
      await control.remove(`run-${name}`);
      await control.gone(`run-${name}`);
    },
    async close() {
      await cell.close();
      callbacks.close().catch(() => undefined);
      await control.close();
      await diego.close();
      origin.close();
      expect(await processesOf(home)).toEqual([]);
      await rm(home, { recursive: true, force: true });
    },
  };
  return ground;
}

async function callbacksFor({ certs }: Diego): Promise<CallbackSink> {
  const [ca = '', cert = '', key = ''] = await Promise.all(
    [certs.ca, certs.cert, certs.key].map((path) => readFile(path, 'utf8')),
  );
  return listenForCallbacks({ ca, cert, key });
}

/** In this process, so that what it says is heard. */
async function cellThatStages({
  home,
  diego,
  heard,
  staging,
}: {
  home: string;
  diego: Diego;
  heard: Heard;
  staging: Record<string, unknown>;
}): Promise<{ cell: Cell; rep_port: number }> {
  const [rep_port = 0, admin = 0] = await freePorts(2);
  const file = join(home, 'cell.json');
  const own = { staging: { network: 'filtered', accounts: ACCOUNTS, ...staging } };
  const options = { diego, home, cell_id: 'cell-s', memory_mb: 3072, config: own };
  await writeFile(file, JSON.stringify(configOf(options, rep_port, admin)));
  const config = await loadCellConfig(file);
  const parts = await makeCellParts(config, { clock: systemClock, log: noLog, sink: heard });
  const cell = await startCell({ config, parts, clock: systemClock, log: noLog, signal: new AbortController().signal });
  return { cell, rep_port };
}

/** A cell's HTTP API as BBS and auctioneer use it (rep client.go): mutual TLS, JSON. */
import { Agent } from 'undici';
import { z } from 'zod';
import type { Identity } from '../../backend/wire/bbs.js';
import { messageOf, UnikError } from '../../core/errors.js';
import type { CellPresence, InstanceKey, LrpKey } from '../bbs/model.js';
import type { CellState, Work } from './model.js';

export interface CellClient {
  state(cell: CellPresence, signal?: AbortSignal): Promise<CellState>;
  work(cell: CellPresence, work: Work, trace: string, signal?: AbortSignal): Promise<Work>;
  stop(cell: CellPresence, key: LrpKey, instance: InstanceKey, trace: string): Promise<void>;
  update(cell: CellPresence, change: LrpUpdate, trace: string): Promise<void>;
  cancelTask(cell: CellPresence, task_guid: string, trace: string): Promise<void>;
  close(): Promise<void>;
}

export interface LrpUpdate {
  key: LrpKey;
  instance: InstanceKey;
  routes?: string[];
  tags?: Record<string, string>;
}

export interface CellTimes {
  state_ms: number;
  /** Of everything else. */
  call_ms: number;
}

const resources = z.object({
  MemoryMB: z.number().default(0),
  DiskMB: z.number().default(0),
  Containers: z.number().default(0),
});
const list = z
  .array(z.string())
  .nullish()
  .transform((found) => found ?? []);
const wish = {
  PlacementTags: z
    .array(z.string())
    .nullish()
    .transform((found) => found ?? null),
  VolumeDrivers: z
    .array(z.string())
    .nullish()
    .transform((found) => found ?? null),
  RootFs: z.string().default(''),
  MemoryMB: z.number().default(0),
  DiskMB: z.number().default(0),
  MaxPids: z.number().default(0),
};
const lrp = z.object({
  ...wish,
  ...{ instance_guid: z.string().default(''), process_guid: z.string(), index: z.int().default(0) },
  ...{ domain: z.string().default(''), state: z.string().default('') },
});
const task = z.object({
  ...wish,
  ...{ TaskGuid: z.string(), Domain: z.string().default(''), failed: z.boolean().default(false) },
  state: z.enum(['Invalid', 'Pending', 'Running', 'Completed', 'Resolving']).default('Invalid'),
});
const lrps = z
  .array(lrp)
  .nullish()
  .transform((found) => found ?? []);
const tasks = z
  .array(task)
  .nullish()
  .transform((found) => found ?? []);

const stateSchema = z.object({
  cell_id: z.string(),
  cell_index: z.number().default(0),
  RootFSProviders: z
    .record(
      z.string(),
      z.discriminatedUnion('type', [
        z.object({ type: z.literal('arbitrary') }),
        z.object({ type: z.literal('fixed_set'), set: z.record(z.string(), z.unknown()) }),
      ]),
    )
    .nullish()
    .transform((found) => found ?? {}),
  ...{ AvailableResources: resources.prefault({}), TotalResources: resources.prefault({}) },
  ...{ LRPs: lrps, Tasks: tasks },
  StartingContainerCount: z.number().default(0),
  Zone: z.string().default(''),
  Evacuating: z.boolean().default(false),
  ...{ VolumeDrivers: list, PlacementTags: list, OptionalPlacementTags: list },
  ProxyMemoryAllocationMB: z.number().default(0),
});

const workSchema = z.object({ LRPs: lrps, Tasks: tasks, cell_id: z.string().optional() });

const WORDS: Record<number, string> = {
  200: 'OK',
  400: 'Bad Request',
  404: 'Not Found',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
};

const LARGEST_REPLY = 64 * 2 ** 20;

interface Call {
  method: 'GET' | 'POST' | 'PUT';
  path: string;
  body?: unknown;
  trace?: string;
  /** The one status that is success. */
  expect: number;
  timeout_ms: number;
  signal?: AbortSignal | undefined;
}

export function createCellClient(tls: Identity, times: CellTimes): CellClient {
  const agent = new Agent({
    connect: { ...tls, timeout: times.call_ms },
    // Stops and updates of one cell go side by side, but not a hundred at a time.
    connections: 16,
    maxResponseSize: LARGEST_REPLY,
  });

  async function call(
    cell: CellPresence,
    { method, path, body, trace, expect, timeout_ms, signal }: Call,
  ): Promise<unknown> {
    if (!cell.rep_url.startsWith('https://'))
      throw new UnikError('peer_unreachable', 'https scheme is required but none of the addresses support it');
    const limit = AbortSignal.timeout(timeout_ms);
    const reply = await agent
      .request({
        origin: cell.rep_url,
        ...{ method, path },
        body: body === undefined ? null : JSON.stringify(body),
        headers: {
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(trace && { 'x-vcap-request-id': trace }),
        },
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
      })
      .catch((err: unknown) => {
        const words = limit.aborted ? `no reply within ${timeout_ms} ms` : messageOf(err);
        throw new UnikError('peer_unreachable', `${method} ${cell.rep_url}${path}: ${words}`, { cause: err });
      });
    const text = await reply.body.text();
    const { statusCode: code } = reply;
    if (code !== expect)
      throw new UnikError('bad_reply', `http error: status code ${code} (${WORDS[code] ?? 'unknown'})`);
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  }

  const { call_ms: timeout_ms } = times;
  const place = ({ process_guid }: LrpKey, { instance_guid }: InstanceKey): string =>
    `${encodeURIComponent(process_guid)}/instances/${encodeURIComponent(instance_guid)}`;

  return {
    async state(cell, signal) {
      const found = await call(cell, {
        method: 'GET',
        path: '/state',
        expect: 200,
        timeout_ms: times.state_ms,
        signal,
      });
      return stateSchema.parse(found);
    },
    async work(cell, body, trace, signal) {
      return workSchema.parse(
        await call(cell, { method: 'POST', path: '/work', body, trace, expect: 200, timeout_ms, signal }),
      );
    },
    async stop(cell, key, instance, trace) {
      await call(cell, {
        method: 'POST',
        path: `/v1/lrps/${place(key, instance)}/stop`,
        trace,
        expect: 202,
        timeout_ms,
      });
    },
    async update(cell, { key, instance, routes, tags }, trace) {
      const { process_guid, index, domain } = key;
      const body = {
        ...{ instance_guid: instance.instance_guid, process_guid, index, domain },
        internal_routes: routes?.map((hostname) => ({ hostname })) ?? null,
        metric_tags: tags ?? null,
      };
      await call(cell, {
        method: 'PUT',
        path: `/v2/lrps/${place(key, instance)}`,
        body,
        trace,
        expect: 202,
        timeout_ms,
      });
    },
    async cancelTask(cell, task_guid, trace) {
      const path = `/v1/tasks/${encodeURIComponent(task_guid)}/cancel`;
      await call(cell, { method: 'POST', path, trace, expect: 202, timeout_ms });
    },
    close: () => agent.destroy(),
  };
}

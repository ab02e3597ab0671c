/** What tests ask of a BBS, real or embedded. */
import { readFile } from 'node:fs/promises';
import { createBbs, type Bbs } from '../../../backend/wire/bbs.js';
import { systemClock } from '../../../core/clock.js';
import type { ActualLRP, Task } from '../../../protos/generated.js';
import type { Diego } from '../diego/diego.js';
import { until } from '../unik.js';
import { desiredApp, type AppOptions } from './desired.js';

export interface Control {
  bbs: Bbs;
  desire(options: AppOptions): Promise<void>;
  scale(process_guid: string, instances: number): Promise<void>;
  remove(process_guid: string): Promise<void>;
  lrps(process_guid: string): Promise<ActualLRP[]>;
  /** Waits until exactly `count` ordinary instances run. */
  running(process_guid: string, count: number, timeout_ms?: number): Promise<ActualLRP[]>;
  /** Waits for an instance for which `test` holds. */
  one(process_guid: string, what: string, test: (lrp: ActualLRP) => boolean, timeout_ms?: number): Promise<ActualLRP>;
  /** Waits until the BBS knows of no instance. */
  gone(process_guid: string, timeout_ms?: number): Promise<void>;
  task(guid: string, test: (task: Task) => boolean, timeout_ms?: number): Promise<Task>;
  close(): Promise<void>;
}

export async function controlOf(diego: Diego): Promise<Control> {
  const [ca = '', cert = '', key = ''] = await Promise.all(
    [diego.certs.ca, diego.certs.cert, diego.certs.key].map((path) => readFile(path, 'utf8')),
  );
  const bbs = createBbs({ url: diego.bbs_url, tls: { ca, cert, key }, clock: systemClock, timeout_ms: 10_000 });
  // As a Cloud Controller keeps it: what is left of nothing wanted is only cleared away where its domain is fresh.
  await bbs.call('upsert_domain', { domain: 'cf-apps', ttl: 0 });
  const lrps = async (process_guid: string): Promise<ActualLRP[]> =>
    (await bbs.call('actual_lrps', { process_guid })).actual_lrps;
  const control: Control = {
    bbs,
    lrps,
    async desire(options) {
      await bbs.call('desire_lrp', { desired_lrp: desiredApp(options) });
    },
    async scale(process_guid, instances) {
      await bbs.call('update_lrp', { process_guid, update: { instances } });
    },
    async remove(process_guid) {
      await bbs.call('remove_lrp', { process_guid });
    },
    running: (process_guid, count, timeout_ms = 60_000) =>
      until(
        `${count} running of ${process_guid}`,
        async () => {
          const all = await lrps(process_guid);
          const up = all.filter(({ state, presence }) => state === 'RUNNING' && presence === 'ORDINARY');
          return up.length === count && all.length === count ? up : undefined;
        },
        timeout_ms,
      ),
    one: (process_guid, what, test, timeout_ms = 60_000) =>
      until(`${process_guid}: ${what}`, async () => (await lrps(process_guid)).find(test), timeout_ms),
    gone: async (process_guid, timeout_ms = 60_000) => {
      const none = async (): Promise<true | undefined> => ((await lrps(process_guid)).length === 0 ? true : undefined);
      await until(`no instance of ${process_guid}`, none, timeout_ms);
    },
    task: (task_guid, test, timeout_ms = 60_000) =>
      until(
        `task ${task_guid}`,
        async () => {
          const { task } = await bbs.call('task', { task_guid });
          return task && test(task) ? task : undefined;
        },
        timeout_ms,
      ),
    close: () => bbs.close(),
  };
  return control;
}

/** `http://HOST:PORT` of a running instance, as a router would reach it. */
export function urlOf(lrp: ActualLRP): string {
  const net = lrp.actual_lrp_net_info;
  return `http://${net?.address}:${net?.ports[0]?.host_port}`;
}

export function indexOf(lrp: ActualLRP): number {
  return lrp.actual_lrp_key?.index ?? -1;
}

export function guidOf(lrp: ActualLRP): string {
  return lrp.actual_lrp_instance_key?.instance_guid ?? '';
}

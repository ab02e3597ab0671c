import { z } from 'zod';
import type { Clock } from '../../../core/clock.js';
import { UnikError } from '../../../core/errors.js';
import { poll } from '../../../core/retry.js';
import type { Owner } from '../../model.js';
import type { RemoteMachine, RemoteState } from '../../remote/driver.js';
import { faultCode, hasStatus } from './errors.js';
import { METADATA, tagOf } from './names.js';
import type { Session } from './session.js';

const serverSchema = z.object({
  id: z.string(),
  status: z.string(),
  metadata: z.record(z.string(), z.string()).default({}),
  image: z.union([z.object({ id: z.string() }), z.string()]).nullish(),
  addresses: z
    .record(
      z.string(),
      z.array(z.object({ addr: z.string(), version: z.number(), 'OS-EXT-IPS:type': z.string().optional() })),
    )
    .default({}),
  fault: z.object({ message: z.string() }).optional(),
});
export type Server = z.output<typeof serverSchema>;
const pageSchema = z.object({
  servers: z.array(serverSchema),
  servers_links: z.array(z.object({ rel: z.string(), href: z.string() })).default([]),
});

/** https://docs.openstack.org/api-guide/compute/server_concepts.html; what is not listed runs, as far as anybody knows. */
const STATES: Record<string, RemoteState> = {
  BUILD: 'pending',
  // We never stop one but to end it: who did so wants it to end.
  ...{ SHUTOFF: 'ended', ERROR: 'ended', DELETED: 'ended', SOFT_DELETED: 'ended' },
  ...{ SHELVED: 'ended', SHELVED_OFFLOADED: 'ended' },
};
export const stateOf = (server: Server): RemoteState => STATES[server.status] ?? 'running';

const BUILD_MS = 10 * 60_000;
const GONE_MS = 60_000;
const STOP_MS = 30_000;

/** Nova's servers. */
export class Servers {
  constructor(private readonly parts: { session: Session; clock: Clock }) {}

  /** All of this owner, by its tag and then by what their metadata says. */
  async of(owner: Owner): Promise<Server[]> {
    const found: Server[] = [];
    for (let query: string | undefined = `?tags=${tagOf(owner)}`; query !== undefined;) {
      const page: z.output<typeof pageSchema> = await this.parts.session.ask(
        { service: 'compute', method: 'GET', path: `/servers/detail${query}` },
        pageSchema,
      );
      found.push(...page.servers);
      const next: string | undefined = page.servers_links.find(({ rel }) => rel === 'next')?.href;
      query = next === undefined ? undefined : new URL(next).search;
    }
    return found.filter(({ metadata }) => metadata[METADATA.owner] === owner && metadata[METADATA.key]);
  }

  /** Throws what Nova answers, among it what nobody knows the end of. Gives the id. */
  async create(server: Record<string, unknown>, hints: Record<string, unknown>, signal: AbortSignal): Promise<string> {
    const json = { server, ...hints };
    const order = { service: 'compute', method: 'POST', path: '/servers', json, signal } as const;
    return (await this.parts.session.ask(order, z.object({ server: z.object({ id: z.string() }) }))).server.id;
  }

  /** Until it has been built. Throws the scheduler's words where it could not be. */
  built(id: string, signal: AbortSignal): Promise<Server> {
    return poll(
      async () => {
        const server = await this.get(id, signal);
        if (!server) throw new UnikError('machine_failed', `server ${id} went away while it was built`);
        if (server.status !== 'ERROR') return stateOf(server) === 'pending' ? undefined : server;
        const message = server.fault?.message ?? 'Nova names no reason';
        throw new UnikError(faultCode(message), `server ${id} could not be built: ${message}`);
      },
      { clock: this.parts.clock, signal, timeout_ms: BUILD_MS, interval_ms: 1_000, what: `server ${id} to be built` },
    );
  }

  async get(id: string, signal?: AbortSignal): Promise<Server | undefined> {
    const order = { service: 'compute', method: 'GET', path: `/servers/${id}`, signal } as const;
    try {
      return (await this.parts.session.ask(order, z.object({ server: serverSchema }))).server;
    } catch (err) {
      if (hasStatus(err, 404)) return undefined;
      throw err;
    }
  }

  /** Cuts the power; what the machine said can be read afterwards. A server on its way elsewhere is waited for. */
  async stop(id: string): Promise<void> {
    await poll(
      async () => {
        try {
          await this.#act(id, { 'os-stop': null });
          return true;
        } catch (err) {
          if (hasStatus(err, 404)) return true;
          if (!hasStatus(err, 409)) throw err;
          const server = await this.get(id);
          return !server || stateOf(server) === 'ended' ? true : undefined;
        }
      },
      { clock: this.parts.clock, timeout_ms: STOP_MS, interval_ms: 1_000, what: `server ${id} to stop` },
    );
  }

  /** Until nothing of it is left; its port is free then. */
  async remove(id: string): Promise<void> {
    const { clock, session } = this.parts;
    await session.call({ service: 'compute', method: 'DELETE', path: `/servers/${id}` }).catch((err: unknown) => {
      // 409: it is being deleted, or not yet ready to be; the wait below tells.
      if (!hasStatus(err, 404, 409)) throw err;
    });
    await poll(
      async () => {
        const server = await this.get(id);
        if (!server || server.status === 'DELETED') return true;
        // Where operators let deleted servers be called back.
        if (server.status === 'SOFT_DELETED') await this.#act(id, { forceDelete: null }).catch(unless(404, 409));
        return undefined;
      },
      { clock, timeout_ms: GONE_MS, interval_ms: 500, what: `server ${id} to be deleted` },
    );
  }

  /** What the hypervisor kept of the serial line, some 100 kB. Undefined: not now. */
  async console(id: string): Promise<Buffer | undefined> {
    const json = { 'os-getConsoleOutput': {} };
    const order = { service: 'compute', method: 'POST', path: `/servers/${id}/action`, json, again: true } as const;
    try {
      return Buffer.from(
        (await this.parts.session.ask(order, z.object({ output: z.string().nullable() }))).output ?? '',
      );
    } catch (err) {
      // 409: no hypervisor has it yet.
      if (hasStatus(err, 404, 409)) return undefined;
      throw err;
    }
  }

  async #act(id: string, json: unknown): Promise<void> {
    await this.parts.session.call({
      service: 'compute',
      method: 'POST',
      path: `/servers/${id}/action`,
      json,
      again: true,
    });
  }
}

export function asMachine(server: Server): RemoteMachine {
  const all = Object.values(server.addresses).flat();
  const address = all.find((one) => one.version === 4 && one['OS-EXT-IPS:type'] !== 'floating')?.addr;
  return {
    key: server.metadata[METADATA.key] ?? '',
    owner: server.metadata[METADATA.owner] ?? '',
    id: server.id,
    state: stateOf(server),
    ...(address === undefined ? {} : { address }),
  };
}

const unless =
  (...statuses: number[]) =>
  (err: unknown): void => {
    if (!hasStatus(err, ...statuses)) throw err;
  };

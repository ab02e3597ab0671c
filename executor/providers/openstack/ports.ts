import { z } from 'zod';
import type { Clock } from '../../../core/clock.js';
import { UnikError } from '../../../core/errors.js';
import type { Key, Owner } from '../../model.js';
import { nameOf } from '../../remote/names.js';
import type { OpenStackConfig } from './config.js';
import { hasStatus } from './errors.js';
import { makeOnce } from './make-once.js';
import { describedAs } from './names.js';
import type { Session } from './session.js';

const portSchema = z.object({
  id: z.string(),
  name: z.string(),
  device_id: z.string().nullish(),
  description: z.string().nullish(),
  fixed_ips: z.array(z.object({ ip_address: z.string() })),
});
const namedSchema = z.object({ id: z.string(), name: z.string() });

/** A machine's place in the network: its address is known before it is ordered. */
export interface Port {
  id: string;
  name: string;
  /** IPv4. */
  address: string;
}

/** Neutron's ports of machines. Ports that we make do not go with their servers. */
export class Ports {
  #network: string | undefined;
  #groups: string[] | undefined;

  constructor(private readonly parts: { session: Session; config: OpenStackConfig; clock: Clock }) {}

  /** The port of this machine, made when there is none. */
  async ensure(of: { key: Key; owner: Owner }, signal: AbortSignal): Promise<Port> {
    const name = nameOf(of);
    const [known] = await this.named(name);
    if (known) return known;
    const json = {
      port: {
        ...{ name, description: describedAs(of.owner), admin_state_up: true },
        ...{ network_id: await this.network(signal), security_groups: await this.groups(signal) },
      },
    };
    const order = { service: 'network', method: 'POST', path: '/ports', json, signal } as const;
    const { session, clock } = this.parts;
    return makeOnce({
      ...{ clock, signal },
      order: async () => asPort((await session.ask(order, z.object({ port: portSchema }))).port),
      find: async () => (await this.named(name))[0],
    });
  }

  async remove(of: { key: Key; owner: Owner }): Promise<void> {
    for (const { id } of await this.named(nameOf(of))) await this.#delete(id);
  }

  /** Removes ports of no server, but for those named. Gives their names. */
  async collect(owner: Owner, keep: ReadonlySet<string>): Promise<string[]> {
    const description = describedAs(owner);
    const idle = (await this.#list({ description })).filter(
      (port) => port.description === description && !port.device_id && !keep.has(port.name),
    );
    for (const { id } of idle) await this.#delete(id);
    return idle.map(({ name }) => name);
  }

  async named(name: string): Promise<Port[]> {
    return (await this.#list({ name })).filter((port) => port.name === name).map(asPort);
  }

  /** The id of the configured network. Throws config_invalid. */
  async network(signal?: AbortSignal): Promise<string> {
    this.#network ??= await this.#idOf('networks', this.parts.config.network, signal);
    return this.#network;
  }

  async groups(signal?: AbortSignal): Promise<string[]> {
    this.#groups ??= await Promise.all(
      this.parts.config.security_groups.map((name) => this.#idOf('security_groups', name, signal)),
    );
    return this.#groups;
  }

  async #idOf(kind: 'networks' | 'security_groups', name: string, signal: AbortSignal | undefined): Promise<string> {
    const ask = async (by: 'id' | 'name'): Promise<{ id: string }[]> => {
      const query = new URLSearchParams({ [by]: name, fields: 'id' }).toString();
      const path = `/${kind.replace('_', '-')}?${query}&fields=name`;
      const schema = z.object({ [kind]: z.array(namedSchema) });
      const answer = await this.parts.session.ask({ service: 'network', method: 'GET', path, signal }, schema);
      return answer[kind] ?? [];
    };
    const found = [...(await ask('id')), ...(await ask('name'))];
    const [one] = found;
    const what = kind === 'networks' ? 'network' : 'security group';
    if (!one) throw new UnikError('config_invalid', `there is no ${what} ${name} that this project may use`);
    if (new Set(found.map(({ id }) => id)).size > 1) {
      throw new UnikError('config_invalid', `there are ${found.length} of ${what} ${name}: give the id`);
    }
    return one.id;
  }

  async #list(query: Record<string, string>): Promise<z.output<typeof portSchema>[]> {
    const path = `/ports?${new URLSearchParams(query).toString()}`;
    const schema = z.object({ ports: z.array(portSchema) });
    return (await this.parts.session.ask({ service: 'network', method: 'GET', path }, schema)).ports;
  }

  async #delete(id: string): Promise<void> {
    try {
      await this.parts.session.call({ service: 'network', method: 'DELETE', path: `/ports/${id}` });
    } catch (err) {
      if (!hasStatus(err, 404)) throw err;
    }
  }
}

function asPort({ id, name, fixed_ips }: z.output<typeof portSchema>): Port {
  const address = fixed_ips.find(({ ip_address }) => !ip_address.includes(':'))?.ip_address;
  if (address === undefined) {
    throw new UnikError('config_invalid', `port ${name} has no IPv4 address: the network needs a subnet with some`);
  }
  return { id, name, address };
}

import { randomUUID } from 'node:crypto';
import { fieldsOf, jsonOf, matches, strange, type Call, type Reply } from './wire.js';

export interface Port {
  id: string;
  name: string;
  network_id: string;
  description: string;
  device_id: string;
  device_owner: string;
  mac_address: string;
  fixed_ips: { subnet_id: string; ip_address: string }[];
  security_groups: string[];
  created_at: string;
  [more: string]: unknown;
}

const SETTABLE = ['name', 'network_id', 'description', 'admin_state_up', 'security_groups', 'fixed_ips', 'device_id'];
export const NETWORK = 'a3b1c2d4-0000-4000-8000-000000000001';
export const GROUP = 'a3b1c2d4-0000-4000-8000-000000000002';
const SUBNET = 'a3b1c2d4-0000-4000-8000-000000000003';

/** Neutron's v2.0, as far as ports of servers go. https://docs.openstack.org/api-ref/network/v2/ */
export class NeutronDouble {
  readonly ports = new Map<string, Port>();
  quota = 100;
  /** Rules of the one security group. */
  readonly rules = [
    { id: randomUUID(), direction: 'ingress', ethertype: 'IPv4', protocol: 'tcp', security_group_id: GROUP },
  ];
  readonly networks = [
    { id: NETWORK, name: 'apps', status: 'ACTIVE', subnets: [SUBNET], admin_state_up: true, shared: false },
  ];
  readonly subnets: Record<string, unknown>[];

  /** `address`: one that nobody has. */
  constructor(
    private readonly base: () => string,
    private readonly address: () => string,
  ) {
    const cidr = `${address().replace(/\.\d+$/, '')}.0/24`;
    this.subnets = [{ id: SUBNET, name: 'apps', network_id: NETWORK, cidr, ip_version: 4, enable_dhcp: true }];
  }

  handle(call: Call): Reply {
    const [, version, kind = '', id = ''] = call.path.split('/');
    const links = [{ rel: 'self', href: `${this.base()}/network/v2.0` }];
    if (version === '' || version === undefined) {
      return { status: 200, body: { versions: [{ id: 'v2.0', status: 'CURRENT', links }] } };
    }
    const list = (name: string, rows: object[]): Reply => ({
      status: 200,
      body: { [name]: rows.filter((row) => matches(row, call.query)).map((row) => fieldsOf(row, call.query)) },
    });
    const groups = [{ id: GROUP, name: 'let-the-cell-in', description: '', security_group_rules: this.rules }];
    if (kind === 'ports') return this.#port(call, id, list);
    if (call.method !== 'GET') return refusal(404, 'HTTPNotFound', 'The resource could not be found.');
    const tables: Record<string, [string, object[]]> = {
      networks: ['networks', this.networks],
      subnets: ['subnets', this.subnets],
      'security-groups': ['security_groups', groups],
      'security-group-rules': ['security_group_rules', this.rules],
      extensions: ['extensions', [{ alias: 'standard-attr-description' }, { alias: 'standard-attr-timestamp' }]],
    };
    const [name, rows] = tables[kind] ?? [];
    if (name === undefined || !rows) return refusal(404, 'HTTPNotFound', 'The resource could not be found.');
    if (id === '') return list(name, rows);
    const one = rows.find((row) => 'id' in row && row.id === id);
    const single = name.replace(/s$/, '');
    return one
      ? { status: 200, body: { [single]: one } }
      : refusal(404, 'NotFound', `${single} ${id} could not be found.`);
  }

  #port(call: Call, id: string, list: (name: string, rows: object[]) => Reply): Reply {
    if (call.method === 'POST') return this.#create(call);
    if (id === '') return list('ports', [...this.ports.values()]);
    const port = this.ports.get(id);
    if (!port) return refusal(404, 'PortNotFound', `Port ${id} could not be found.`);
    if (call.method === 'GET') return { status: 200, body: { port } };
    if (call.method !== 'DELETE') return refusal(405, 'HTTPMethodNotAllowed', '');
    this.ports.delete(id);
    return { status: 204 };
  }

  #create(call: Call): Reply {
    const order = (jsonOf(call)['port'] ?? {}) as Partial<Port>;
    const odd = strange(order, SETTABLE);
    if (odd !== undefined) return refusal(400, 'HTTPBadRequest', `Unrecognized attribute(s) '${odd}'`);
    if (order.network_id !== NETWORK) {
      return refusal(404, 'NetworkNotFound', `Network ${String(order.network_id)} could not be found.`);
    }
    if (order.security_groups?.some((group) => group !== GROUP)) {
      return refusal(404, 'SecurityGroupNotFound', 'Security group could not be found.');
    }
    if (this.ports.size >= this.quota) return refusal(409, 'OverQuota', "Quota exceeded for resources: ['port'].");
    const ip_address = this.address();
    const host = Number(ip_address.split('.').at(-1)).toString(16).padStart(2, '0');
    const port: Port = {
      ...{ name: '', description: '', status: 'DOWN', admin_state_up: true, tags: [], security_groups: [GROUP] },
      ...{ device_id: '', device_owner: '', tenant_id: call.who.project, project_id: call.who.project },
      ...order,
      ...{ id: randomUUID(), network_id: NETWORK, mac_address: `52:54:00:12:34:${host}` },
      fixed_ips: [{ subnet_id: SUBNET, ip_address }],
      created_at: new Date().toISOString().replace(/\.\d+Z/, 'Z'),
    };
    this.ports.set(port.id, port);
    return { status: 201, body: { port } };
  }
}

const refusal = (status: number, type: string, message: string): Reply => ({
  status,
  body: { NeutronError: { type, message, detail: '' } },
});

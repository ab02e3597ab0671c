import { z } from 'zod';
import { toUnikError, UnikError } from '../../../core/errors.js';
import type { Finding, Probe } from '../provider.js';
import type { OpenStackConfig } from './config.js';
import { hasStatus, OpenStackError } from './errors.js';
import { listFlavors, usable } from './flavors.js';
import type { Ports } from './ports.js';
import { MICROVERSION, type Session, type ServiceName } from './session.js';

interface Parts {
  session: Session;
  config: OpenStackConfig;
  ports: Ports;
}

/** What `unik doctor` says of a cloud: reached, let in, allowed, how much is left, and whether all that is named exists. */
export async function probeOpenStack(parts: Parts, signal: AbortSignal): Promise<Probe> {
  const { session, config } = parts;
  const findings: Finding[] = [
    await ask('reach and credentials', loginFix, async () => {
      const { user, project, expires_at } = await session.token();
      if (!project) throw new UnikError('config_invalid', 'the credentials are of no project: name it in `auth`');
      return `${user.name} in project ${project.name}, until ${expires_at}`;
    }),
  ];
  const isOk = (): boolean => findings.every(({ status }) => status !== 'error');
  const services = ['compute', 'image', 'network'] as const;
  if (isOk()) {
    const fix = 'Set region_name and interface to what the catalogue has, or have the service added to it.';
    for (const name of services)
      findings.push(await ask(`${name} in the catalogue`, fix, () => session.endpoint(name)));
  }
  if (isOk()) {
    findings.push(await roles(parts));
    for (const name of services) findings.push(await look(parts, name, signal));
  }
  if (isOk()) {
    findings.push(
      ...(await Promise.all([
        quota(parts, signal),
        flavors(parts, signal),
        network(parts, signal),
        ...config.security_groups.map((name, n) => group(parts, { name, n }, signal)),
        ...zone(parts, signal),
        ...serverGroup(parts, signal),
      ])),
    );
  }
  const where = config.region_name === undefined ? 'OpenStack' : `OpenStack in ${config.region_name}`;
  return { healthy: isOk(), summary: isOk() ? where : `${where} cannot be used`, findings };
}

type Fix = string | ((err: unknown) => string);

async function ask(what: string, fix: Fix, look: () => Promise<string>): Promise<Finding> {
  const name = `openstack ${what}`;
  try {
    return { name, status: 'ok', detail: await look() };
  } catch (err) {
    return { name, status: 'error', detail: toUnikError(err).message, fix: typeof fix === 'string' ? fix : fix(err) };
  }
}

function loginFix(err: unknown): string {
  if (hasStatus(err, 401)) {
    return 'Put valid credentials into credentials_file: Keystone refuses these. An application credential may have expired or been deleted.';
  }
  if (err instanceof OpenStackError) return 'Check auth_url, ca_file and the way to Keystone from this host.';
  return 'Correct credentials_file: a clouds.yaml, or the content of its `auth`.';
}

async function roles({ session }: Parts): Promise<Finding> {
  const { roles: has, user, project } = await session.token();
  const names = has.map(({ name }) => name).join(', ');
  const name = 'openstack right to make machines';
  if (/\b(_?member_?|manager|admin)\b/.test(names)) return { name, status: 'ok', detail: `roles: ${names}` };
  return {
    ...{ name, status: 'warning', detail: `role member is missing; there are: ${names || 'none'}` },
    fix: `openstack role add --project ${project?.id ?? ''} --user ${user.id} member`,
  };
}

const LOOKS: Record<ServiceName, { path: string; right: string }> = {
  compute: { path: '/servers/detail?limit=1', right: 'os_compute_api:servers:detail' },
  image: { path: '/images?limit=1', right: 'get_images' },
  network: { path: '/ports?limit=1&fields=id', right: 'get_port' },
};

function look({ session }: Parts, service: ServiceName, signal: AbortSignal): Promise<Finding> {
  const { path, right } = LOOKS[service];
  const fix = (err: unknown): string => {
    if (hasStatus(err, 401, 403)) {
      return `Give the account the right ${right}: role member, or the access rules of \`unik provider policy openstack\`.`;
    }
    if (hasStatus(err, 406)) return `A Nova of 2017 (Pike) or later is needed: microversion ${MICROVERSION}.`;
    return `Check the ${service} service, and the way from this host to the endpoint that the catalogue names.`;
  };
  return ask(`right ${right}`, fix, async () => {
    await session.call({ service, method: 'GET', path, signal });
    return 'ok';
  });
}

const limitsSchema = z.object({
  limits: z.object({
    absolute: z.object({
      ...{ maxTotalInstances: z.number(), totalInstancesUsed: z.number() },
      ...{ maxTotalCores: z.number(), totalCoresUsed: z.number() },
      ...{ maxTotalRAMSize: z.number(), totalRAMUsed: z.number() },
    }),
  }),
});

async function quota({ session }: Parts, signal: AbortSignal): Promise<Finding> {
  const project = (await session.token()).project?.id ?? '';
  const fix = `Delete servers, or have the quota raised: openstack quota set --instances N --cores N --ram MB ${project}`;
  return ask('quota', fix, async () => {
    const order = { service: 'compute', method: 'GET', path: '/limits', signal } as const;
    const { absolute: has } = (await session.ask(order, limitsSchema)).limits;
    const rows = [
      ['instances', has.totalInstancesUsed, has.maxTotalInstances],
      ['cores', has.totalCoresUsed, has.maxTotalCores],
      ['MB', has.totalRAMUsed, has.maxTotalRAMSize],
    ] as const;
    const text = rows.map(([of, used, most]) => `${used} of ${most < 0 ? 'any number of' : most} ${of}`).join(', ');
    if (rows.some(([, used, most]) => most >= 0 && used >= most)) {
      throw new UnikError('insufficient_machines', `nothing is left: ${text} used`);
    }
    return `${text} used`;
  });
}

function flavors({ session, config }: Parts, signal: AbortSignal): Promise<Finding> {
  const fix = 'Correct openstack.flavors by `openstack flavor list`, or have one with a disk of its own made.';
  return ask('flavors', fix, async () => {
    const all = await listFlavors(session, signal);
    const missing = (config.flavors ?? []).filter((of) => !all.some(({ id, name }) => id === of || name === of));
    if (missing.length > 0) throw new UnikError('config_invalid', `there is no flavor ${missing.join(', ')}`);
    const some = usable(all, config);
    if (some.length === 0) throw new UnikError('config_invalid', 'there is no flavor that may be taken');
    return some
      .map(({ name, ram }) => `${name} (${ram} MB)`)
      .join(', ')
      .slice(0, 300);
  });
}

function network({ session, config, ports }: Parts, signal: AbortSignal): Promise<Finding> {
  const fix = `Correct openstack.network by \`openstack network list\`, or: openstack subnet create --dhcp --network ${config.network} --subnet-range CIDR NAME`;
  return ask(`network ${config.network}`, fix, async () => {
    const path = `/subnets?network_id=${await ports.network(signal)}`;
    const schema = z.object({
      subnets: z.array(z.object({ cidr: z.string(), ip_version: z.number(), enable_dhcp: z.boolean() })),
    });
    const { subnets } = await session.ask({ service: 'network', method: 'GET', path, signal }, schema);
    const good = subnets.filter(({ ip_version, enable_dhcp }) => ip_version === 4 && enable_dhcp);
    if (good.length === 0) throw new UnikError('config_invalid', 'the network has no IPv4 subnet with DHCP');
    return good.map(({ cidr }) => cidr).join(', ');
  });
}

function group(
  { session, ports }: Parts,
  { name, n }: { name: string; n: number },
  signal: AbortSignal,
): Promise<Finding> {
  const rule = `openstack security group rule create --ingress --protocol tcp --remote-ip ADDRESS_OF_THIS_CELL ${name}`;
  const fix = (err: unknown): string =>
    err instanceof UnikError && err.code === 'network_unavailable'
      ? rule
      : 'Correct openstack.security_groups by `openstack security group list`.';
  return ask(`security group ${name}`, fix, async () => {
    const path = `/security-group-rules?direction=ingress&security_group_id=${(await ports.groups(signal))[n] ?? ''}`;
    const schema = z.object({ security_group_rules: z.array(z.object({ protocol: z.string().nullable() })) });
    const answer = await session.ask({ service: 'network', method: 'GET', path, signal }, schema);
    const open = answer.security_group_rules.some(
      ({ protocol }) => protocol === null || /^(tcp|6|any)$/i.test(protocol),
    );
    // Others of the groups may let it in; one that lets nobody in is of no use here.
    if (!open) throw new UnikError('network_unavailable', 'it has no rule that lets TCP in');
    return 'ok';
  });
}

function zone({ session, config }: Parts, signal: AbortSignal): Promise<Finding>[] {
  const { availability_zone: wanted } = config;
  if (wanted === undefined) return [];
  const fix = 'Correct openstack.availability_zone by `openstack availability zone list --compute`.';
  return [
    ask(`availability zone ${wanted}`, fix, async () => {
      const schema = z.object({
        availabilityZoneInfo: z.array(
          z.object({ zoneName: z.string(), zoneState: z.object({ available: z.boolean() }) }),
        ),
      });
      const order = { service: 'compute', method: 'GET', path: '/os-availability-zone', signal } as const;
      const zones = (await session.ask(order, schema)).availabilityZoneInfo;
      if (zones.some(({ zoneName, zoneState }) => zoneName === wanted && zoneState.available)) return 'ok';
      throw new UnikError('config_invalid', `it is not among: ${zones.map(({ zoneName }) => zoneName).join(', ')}`);
    }),
  ];
}

function serverGroup({ session, config }: Parts, signal: AbortSignal): Promise<Finding>[] {
  const { server_group: id } = config;
  if (id === undefined) return [];
  const fix =
    'Correct openstack.server_group by `openstack server group list`, or: openstack server group create --policy soft-anti-affinity unik';
  return [
    ask(`server group ${id}`, fix, async () => {
      await session.call({ service: 'compute', method: 'GET', path: `/os-server-groups/${id}`, signal });
      return 'ok';
    }),
  ];
}

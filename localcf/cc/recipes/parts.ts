/** What the recipes of Cloud Controller have in common (`lib/cloud_controller/diego/task_recipe_builder.rb`, `egress_rules.rb`). Pure. */
import type { Sent } from '../../../backend/wire/codec.js';
import type { Action, CachedDependency, MetricTagValue, SecurityGroupRule } from '../../../protos/generated.js';
import type { SecurityGroup, Stack } from '../model.js';
import type { AppFacts, Blob } from './facts.js';

export const LIFECYCLE_DIR = '/tmp/lifecycle';
export const USER = 'vcap';
export const CERTIFICATES_DIR = '/etc/cf-system-certificates';
export const LANG = [{ name: 'LANG', value: 'en_US.UTF-8' }];

/** Tags that every envelope of the app carries. */
export function appTags({ app, space, org }: AppFacts): Record<string, Sent<MetricTagValue>> {
  const texts = {
    source_id: app.guid,
    organization_id: org.guid,
    space_id: space.guid,
    app_id: app.guid,
    organization_name: org.name,
    space_name: space.name,
    app_name: app.name,
  };
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, { static: text }]));
}

export function networkOf(
  { app, space, org }: AppFacts,
  workload: 'app' | 'staging' | 'task',
  ports: readonly number[],
) {
  return {
    properties: {
      policy_group_id: app.guid,
      app_id: app.guid,
      space_id: space.guid,
      org_id: org.guid,
      ports: ports.join(','),
      container_workload: workload,
    },
  };
}

export const certificateOf = ({ app, space, org }: AppFacts) => ({
  organizational_unit: [`organization:${org.guid}`, `space:${space.guid}`, `app:${app.guid}`],
});

/** 100 for 8 GB and more, in proportion below, at least that of 128 MB. */
export const cpuWeight = (memory_mb: number): number =>
  Math.floor((100 * Math.min(8_192, Math.max(128, memory_mb))) / 8_192);

export const rootfsOf = (stack: Stack | undefined, name: string | null, use: 'build' | 'run'): string =>
  `preloaded:${stack ? (use === 'build' ? stack.build_rootfs : stack.run_rootfs) : (name ?? '')}`;

export function lifecycleDependency(stack: string, { url, sha256 }: Blob): Sent<CachedDependency> {
  return {
    ...{ from: url, to: LIFECYCLE_DIR, cache_key: `buildpack-${stack}-lifecycle` },
    ...(sha256 === undefined ? {} : { checksum_algorithm: 'sha256', checksum_value: sha256 }),
  };
}

export function download(artifact: string, to: string, { url, sha256 }: Blob, cache_key = ''): Sent<Action> {
  return {
    download_action: {
      ...{ artifact, from: url, to, user: USER, cache_key },
      ...(sha256 === undefined ? {} : { checksum_algorithm: 'sha256', checksum_value: sha256 }),
    },
  };
}

export const serial = (...actions: Sent<Action>[]): Sent<Action> => ({ serial_action: { actions } });
export const parallel = (...actions: Sent<Action>[]): Sent<Action> => ({ parallel_action: { actions } });

export const envOf = (env: Readonly<Record<string, string>>): { name: string; value: string }[] =>
  Object.entries(env).map(([name, value]) => ({ name, value }));

/** Rules of the groups, those that are logged last. */
export function egressRules(groups: readonly SecurityGroup[]): Sent<SecurityGroupRule>[] {
  const rules = groups.flatMap(({ guid, rules: own }) => own.map((rule) => ruleOf(rule, guid)));
  return [...rules.filter(({ log }) => log !== true), ...rules.filter(({ log }) => log === true)];
}

function ruleOf(rule: Readonly<Record<string, unknown>>, group: string): Sent<SecurityGroupRule> {
  const { protocol, destination, ports, type, code, log } = rule;
  return {
    protocol: String(protocol),
    destinations: [String(destination)],
    ...(typeof ports === 'string' ? portsOf(ports) : {}),
    ...(protocol === 'icmp' || protocol === 'icmpv6'
      ? { icmp_info: { type: Number(type ?? 0), code: Number(code ?? 0) } }
      : {}),
    log: log === true,
    annotations: [`security_group_id:${group}`],
  };
}

/** `80,443` are ports, `1000-2000` is a range. */
function portsOf(text: string): Sent<Pick<SecurityGroupRule, 'ports' | 'port_range'>> {
  const range = /^\s*(\d+)\s*-\s*(\d+)\s*$/.exec(text);
  if (range) return { port_range: { start: Number(range[1]), end: Number(range[2]) } };
  return { ports: text.split(',').map((one) => Number(one.trim())) };
}

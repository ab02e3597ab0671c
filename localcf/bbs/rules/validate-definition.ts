/** What is wrong with a desired LRP or a task, in the BBS's words and order (bbs models/desired_lrp.go, task.go). */
import type { Messages } from '../../../protos/generated.js';
import type { Action, DesiredLrp, MetricTagValue, TaskDefinition } from '../model.js';
import { actionFaults, checksumFaults, faults, INVALID_ACTION, invalid } from './validate-action.js';

type Rule = Messages['models.SecurityGroupRule'];

export const GUID = /^[a-zA-Z0-9_-]+$/;
const LONGEST_ANNOTATION = 10 * 1024;
const LARGEST_ROUTES = 128 * 1024;
const LARGEST_FILES = 2 ** 20;

export function desiredFaults(wanted: DesiredLrp): string[] {
  const { metric_tags, metrics_guid, process_guid, domain } = wanted;
  const tags = Object.keys(metric_tags).length === 0 ? [invalid('metric_tags')] : tagFaults(metric_tags, metrics_guid);
  return [
    ...faults(
      [domain === '', 'domain'],
      [wanted.root_fs === '', 'rootfs'],
      [!hasScheme(wanted.root_fs), 'rootfs'],
      [wanted.instances < 0, 'instances'],
      [wanted.memory_mb < 0, 'memory_mb'],
      [wanted.disk_mb < 0, 'disk_mb'],
      [limitIsWrong(wanted), 'log_rate_limit_bytes_per_second'],
      [Buffer.byteLength(wanted.annotation) > LONGEST_ANNOTATION, 'annotation'],
      [wanted.max_pids < 0, 'max_pids'],
      [routesAreTooLarge(wanted.routes), 'routes'],
    ),
    ...tags,
    ...faults([domain === '', 'domain'], [!GUID.test(process_guid), 'process_guid']),
    ...partFaults('setup', wanted.setup),
    ...(wanted.action ? partFaults('action', wanted.action) : [INVALID_ACTION]),
    ...partFaults('monitor', wanted.monitor),
    ...wanted.environment_variables.flatMap(({ name }) => (name === '' ? ['invalid field: name cannot be blank'] : [])),
    ...wanted.egress_rules.flatMap((rule) => {
      const wrong = ruleFaults(rule);
      return wrong.length > 0 ? [invalid('egress_rules'), ...wrong] : [];
    }),
    ...sharedFaults(wanted),
    ...wanted.sidecars.flatMap(({ action, memory_mb, disk_mb }) => {
      const wrong = [
        ...(action ? partFaults('action', action) : [INVALID_ACTION]),
        ...faults([memory_mb < 0, 'memory_mb'], [disk_mb < 0, 'disk_mb']),
      ];
      return wrong.length > 0 ? [invalid('sidecars'), ...wrong] : [];
    }),
    ...wanted.volume_mounts.flatMap(mountFaults),
    ...credentialFaults(wanted),
    ...(wanted.check_definition ? checkFaults(wanted.check_definition) : []),
    ...faults([limitIsWrong(wanted), 'log_rate_limit'], [filesAreTooLarge(wanted), 'volume_mounted_files']),
  ];
}

export function taskFaults(definition: TaskDefinition): string[] {
  return [
    ...faults([!hasScheme(definition.root_fs), 'rootfs']),
    ...(definition.action ? partFaults('action', definition.action) : [INVALID_ACTION]),
    ...faults(
      [definition.memory_mb < 0, 'memory_mb'],
      [definition.disk_mb < 0, 'disk_mb'],
      [limitIsWrong(definition), 'log_rate_limit'],
      [definition.max_pids < 0, 'max_pids'],
      [Buffer.byteLength(definition.annotation) > LONGEST_ANNOTATION, 'annotation'],
    ),
    ...definition.egress_rules.flatMap((rule) => (ruleFaults(rule).length > 0 ? [invalid('egress_rules')] : [])),
    ...credentialFaults(definition),
    ...sharedFaults(definition),
    ...faults([filesAreTooLarge(definition), 'volume_mounted_files']),
  ];
}

export function updateFaults(update: Messages['models.DesiredLRPUpdate']): string[] {
  return [
    ...faults(
      [(update.instances ?? 0) < 0, 'instances'],
      [Buffer.byteLength(update.annotation ?? '') > LONGEST_ANNOTATION, 'annotation'],
      [routesAreTooLarge(update.routes), 'routes'],
    ),
    ...tagFaults(update.metric_tags, ''),
  ];
}

const hasScheme = (root_fs: string): boolean => /^[a-zA-Z][a-zA-Z0-9+.-]*:/.test(root_fs);

const limitIsWrong = ({ log_rate_limit }: Pick<DesiredLrp, 'log_rate_limit'>): boolean =>
  log_rate_limit !== undefined && log_rate_limit.bytes_per_second < -1n;

const routesAreTooLarge = (routes: DesiredLrp['routes']): boolean =>
  Object.values(routes?.routes ?? {}).reduce((sum, bytes) => sum + bytes.length, 0) > LARGEST_ROUTES;

const filesAreTooLarge = ({ volume_mounted_files: files }: Pick<DesiredLrp, 'volume_mounted_files'>): boolean =>
  files.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0) > LARGEST_FILES;

function partFaults(field: string, action: Action | undefined): string[] {
  const wrong = action ? actionFaults(action) : [];
  return wrong.length > 0 ? [invalid(field), ...wrong] : [];
}

function tagFaults(tags: Record<string, MetricTagValue>, metrics_guid: string): string[] {
  const wrong = Object.values(tags).flatMap((tag) => {
    const dynamic = tag.dynamic === 'INDEX' || tag.dynamic === 'INSTANCE_GUID';
    return (tag.static !== '') === dynamic ? [invalid('static'), invalid('dynamic')] : [];
  });
  if (Object.keys(tags).length > 0 && metrics_guid !== '' && tags.source_id?.static !== metrics_guid)
    wrong.push(invalid('source_id should match metrics_guid'));
  return wrong.length > 0 ? [invalid('metric_tags'), ...wrong] : [];
}

function sharedFaults(
  part: Pick<DesiredLrp, 'cached_dependencies' | 'image_layers' | 'legacy_download_user'>,
): string[] {
  const dependencies = part.cached_dependencies.flatMap(({ from, to, checksum_algorithm, checksum_value }) => {
    const wrong = [
      ...faults([from === '', 'from'], [to === '', 'to']),
      ...checksumFaults(checksum_algorithm, checksum_value),
    ];
    return wrong.length > 0 ? [invalid('cached_dependency'), ...wrong] : [];
  });
  const layers = part.image_layers.flatMap((layer) => {
    const wrong = layerFaults(layer);
    return wrong.length > 0 ? [invalid('image_layer'), ...wrong] : [];
  });
  const exclusive = part.image_layers.some(({ layer_type }) => layer_type === 'EXCLUSIVE');
  return [
    ...dependencies,
    ...layers,
    ...faults([exclusive && part.legacy_download_user === '', 'legacy_download_user']),
  ];
}

function layerFaults(layer: Messages['models.ImageLayer']): string[] {
  const { layer_type, media_type, digest_algorithm, digest_value } = layer;
  const exclusive = layer_type === 'EXCLUSIVE';
  const noAlgorithm = digest_algorithm === 'DigestAlgorithmInvalid';
  return faults(
    [layer.url === '', 'url'],
    [layer.destination_path === '', 'destination_path'],
    [layer_type === 'LayerTypeInvalid', 'layer_type'],
    [media_type === 'MediaTypeInvalid', 'media_type'],
    [(digest_value !== '' || exclusive) && noAlgorithm, 'digest_algorithm'],
    [(!noAlgorithm || exclusive) && digest_value === '', 'digest_value'],
    [digest_value !== '' && noAlgorithm, 'digest_algorithm'],
  );
}

function credentialFaults({
  image_username,
  image_password,
}: Pick<DesiredLrp, 'image_username' | 'image_password'>): string[] {
  return faults(
    [image_username === '' && image_password !== '', 'image_username'],
    [image_username !== '' && image_password === '', 'image_password'],
  );
}

function mountFaults({ driver, mode, shared }: Messages['models.VolumeMount']): string[] {
  return [
    ...(driver === '' ? ['invalid volume_mount driver'] : []),
    ...(mode !== 'r' && mode !== 'rw' ? ['invalid volume_mount mode'] : []),
    ...(shared?.volume_id === '' ? ['invalid volume_mount volume id'] : []),
  ];
}

function checkFaults({ checks, readiness_checks }: Messages['models.CheckDefinition']): string[] {
  const wrong = [...checks, ...readiness_checks].flatMap(({ tcp_check, http_check }) => {
    const one = tcp_check && http_check ? undefined : (tcp_check ?? http_check);
    if (!one) return [invalid('check')];
    return faults([one.port < 1 || one.port > 65535, 'port']);
  });
  return wrong.length > 0 ? [invalid('check_definition'), ...wrong] : [];
}

function ruleFaults({ protocol, ports, port_range, icmp_info, destinations }: Rule): string[] {
  const [hasPorts, hasIcmp] = [ports.length > 0, icmp_info !== undefined];
  const wrong: string[] = [];
  if (protocol === 'tcp' || protocol === 'udp') {
    if (!hasPorts && !port_range) wrong.push('Missing required field: ports or port_range');
    if (hasPorts && port_range) wrong.push('Invalid: ports and port_range provided');
    if (port_range && (port_range.start < 1 || port_range.end < 1 || port_range.start > port_range.end))
      wrong.push(invalid('port_range'));
    wrong.push(...faults([ports.some((port) => port < 1), 'ports'], [hasIcmp, 'icmp_info']));
  } else if (protocol === 'icmp' || protocol === 'icmpv6' || protocol === 'all') {
    const needsIcmp = protocol !== 'all';
    wrong.push(
      ...faults([port_range !== undefined, 'port_range'], [hasPorts, 'ports'], [hasIcmp !== needsIcmp, 'icmp_info']),
    );
  } else wrong.push(invalid('protocol'));
  if (destinations.length === 0) wrong.push(invalid('destinations [ Must have at least 1 destination ]'));
  return wrong;
}

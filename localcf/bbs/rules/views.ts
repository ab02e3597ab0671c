/** A desired LRP as the reads show it (bbs models/desired_lrp.go). */
import type { Messages } from '../../../protos/generated.js';
import type { DesiredLrp } from '../model.js';
import { volumeDrivers } from './starts.js';

export function schedulingInfo(lrp: DesiredLrp): Messages['models.DesiredLRPSchedulingInfo'] {
  const { process_guid, domain, log_guid, annotation, instances, placement_tags } = lrp;
  const { memory_mb, disk_mb, root_fs, max_pids } = lrp;
  return {
    desired_lrp_key: { process_guid, domain, log_guid },
    ...{ annotation, instances, placement_tags },
    desired_lrp_resource: { memory_mb, disk_mb, root_fs, max_pids },
    ...(lrp.routes && { routes: lrp.routes }),
    ...(lrp.modification_tag && { modification_tag: lrp.modification_tag }),
    volume_placement: { driver_names: volumeDrivers(lrp) },
  };
}

/** What a route emitter needs. */
export function routingInfo(lrp: DesiredLrp): Partial<DesiredLrp> {
  const { process_guid, domain, log_guid, instances, metric_tags } = lrp;
  return {
    ...{ process_guid, domain, log_guid, instances, metric_tags },
    ...(lrp.routes && { routes: lrp.routes }),
    ...(lrp.modification_tag && { modification_tag: lrp.modification_tag }),
  };
}

/** The metrics guid and the tag `source_id` fill each other. */
export function withMetricsGuid(lrp: DesiredLrp): DesiredLrp {
  const { metrics_guid, metric_tags } = lrp;
  const source = metric_tags.source_id?.static;
  if (source !== undefined) return metrics_guid === '' ? { ...lrp, metrics_guid: source } : lrp;
  if (metrics_guid === '') return lrp;
  return {
    ...lrp,
    metric_tags: { ...metric_tags, source_id: { static: metrics_guid, dynamic: 'DynamicValueInvalid' } },
  };
}

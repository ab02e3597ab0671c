/** GET /container_metrics: what each running container uses (rep `handlers/container_metrics.go`). */
import type { Container } from '../cell/model.js';
import type { RepHandler, Sample } from './face.js';

/** The JSON document. Pure. */
export function containerMetrics(
  cell_id: string,
  samples: Iterable<Sample>,
  get: (guid: string) => Container | undefined,
) {
  const lrps: object[] = [];
  const tasks: object[] = [];
  for (const { usage, cpu_fraction } of samples) {
    const container = get(usage.guid);
    if (!container) continue;
    const { reservation, order } = container;
    const used = {
      metric_guid: order?.metrics.guid ?? '',
      cpu_usage_fraction: cpu_fraction,
      disk_usage_bytes: usage.disk_bytes,
      disk_quota_bytes: usage.disk_quota_bytes,
      memory_usage_bytes: usage.memory_bytes,
      memory_quota_bytes: usage.memory_quota_bytes,
      ...(usage.rx_bytes === undefined ? {} : { rx_bytes: usage.rx_bytes }),
      ...(usage.tx_bytes === undefined ? {} : { tx_bytes: usage.tx_bytes }),
    };
    if (reservation.kind === 'task') tasks.push({ task_guid: reservation.guid, ...used });
    else {
      const { process_guid, index } = reservation.lrp;
      lrps.push({ instance_guid: reservation.guid, process_guid, index, ...used });
    }
  }
  return { cell_id, lrps, tasks };
}

export const metrics: RepHandler = (face) => (_request, response) => {
  response.json(containerMetrics(face.facts.cell_id, face.samples(), (guid) => face.containers.get(guid)));
};

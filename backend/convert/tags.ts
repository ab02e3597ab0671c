import type { MetricTagValue } from '../../protos/generated.js';

/** Metric tags as they are sent with envelopes and StartActualLRP: dynamic ones filled in (bbs `models/metric_tags.go`). */
export function resolveTags(
  tags: Readonly<Record<string, MetricTagValue>>,
  instance: { guid: string; index: number },
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tags).map(([name, { static: text, dynamic }]) => {
      if (dynamic === 'INDEX') return [name, String(instance.index)];
      return [name, dynamic === 'INSTANCE_GUID' ? instance.guid : text];
    }),
  );
}

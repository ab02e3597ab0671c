/** PUT /v1|v2/lrps/:process_guid/instances/:instance_guid: new routes or tags; null leaves what is (rep `resources.go`). */
import { z } from 'zod';
import { UnikError } from '../../core/errors.js';
import { describeIssues } from '../../core/describe-issues.js';
import { traceOf, type RepHandler } from './face.js';

const updateSchema = z.object({
  internal_routes: z.array(z.object({ hostname: z.string() })).nullish(),
  metric_tags: z.record(z.string(), z.string()).nullish(),
});

export const updateLrp: RepHandler = (face) => (request, response) => {
  const guid = String(request.params['instance_guid']);
  const parsed = updateSchema.safeParse(request.body);
  if (!parsed.success) throw new UnikError('bad_request', `update: ${describeIssues(parsed.error, 'the document')}`);
  const { internal_routes, metric_tags } = parsed.data;
  const container = face.containers.get(guid);
  if (container?.reservation.kind !== 'lrp') throw new UnikError('internal', `no LRP instance ${guid} on this cell`);
  face.containers.update(guid, {
    ...(internal_routes ? { internal_routes: internal_routes.map(({ hostname }) => hostname) } : {}),
    ...(metric_tags ? { metric_tags } : {}),
  });
  // The BBS repeats the update until the instance is started anew with it: not left to the next bulk pass.
  face.hint(guid, traceOf(request));
  response.status(202).end();
};

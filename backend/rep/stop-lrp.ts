/** POST /v1/lrps/:process_guid/instances/:instance_guid/stop. Asks only; the instance is removed when it has ended. */
import { UnikError } from '../../core/errors.js';
import { traceOf, type RepHandler } from './face.js';

export const stopLrp: RepHandler = (face) => (request, response) => {
  const guid = String(request.params['instance_guid']);
  const container = face.containers.get(guid);
  // Diego expects 500 here, and tries again (bbs `rep/client.go`).
  if (container?.reservation.kind !== 'lrp') throw new UnikError('internal', `no LRP instance ${guid} on this cell`);
  // Woken before it is stopped, so that what is told of its end carries this request's id.
  face.hint(guid, traceOf(request));
  face.containers.stop(guid);
  response.status(202).end();
};

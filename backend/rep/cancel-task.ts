/** POST /v1/tasks/:task_guid/cancel. Answers at once and never fails: the BBS has completed the task already. */
import { messageOf } from '../../core/errors.js';
import { traceOf, type RepHandler } from './face.js';

export const cancelTask: RepHandler = (face) => (request, response) => {
  const guid = String(request.params['task_guid']);
  if (face.containers.get(guid)?.reservation.kind === 'task') {
    face.hint(guid, traceOf(request));
    face.containers.delete(guid).catch((err: unknown) => {
      face.log.warn({ guid, reason: messageOf(err) }, 'cell.cancel-failed');
    });
  }
  response.status(202).end();
};

/** On the admin address: which machines this cell holds, and the switch of one. For whoever owns this host. */
import { UnikError } from '../../core/errors.js';
import type { RepHandler } from './face.js';

/** GET /instances */
export const instances: RepHandler =
  ({ containers }) =>
  (_request, response) => {
    response.json({
      instances: containers.list().map(({ reservation, state, order }) => ({
        guid: reservation.guid,
        kind: reservation.kind,
        /** Of the application, where the order tells it. */
        app: order?.logs.tags['app_name'] ?? null,
        ...(reservation.kind === 'lrp' ? reservation.lrp : {}),
        state,
        memory_mb: reservation.demand.memory_mb,
      })),
    });
  };

/** DELETE /instances/:guid: its power is cut, which Diego sees as a crash. */
export const cutInstance: RepHandler =
  ({ containers }) =>
  async (request, response) => {
    const { guid } = request.params;
    if (typeof guid !== 'string') throw new UnikError('bad_request', 'which instance?');
    await containers.cut(guid);
    response.status(204).end();
  };

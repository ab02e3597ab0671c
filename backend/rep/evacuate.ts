/** POST /evacuate on the admin address: the cell empties itself, then its process ends. */
import type { RepHandler } from './face.js';

export const evacuate: RepHandler = (face) => (_request, response) => {
  face.evacuate();
  response.status(202).json({ ping_path: '/ping' });
};

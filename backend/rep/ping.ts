/** GET /ping on the admin address: 200 while we live; a refused connection tells a drain script that we are done. */
import type { RepHandler } from './face.js';

export const ping: RepHandler = () => (_request, response) => {
  response.status(200).end();
};

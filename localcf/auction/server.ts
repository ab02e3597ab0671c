/** The auctioneer's HTTP API (auctioneer handlers/): takes what is to be placed and answers at once. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { jsonOf } from '../../core/json.js';
import type { Log } from '../../core/log.js';
import { answer, readBody, traceOf } from '../https.js';
import type { Auctioneer } from './auctioneer.js';

const JSON_TYPE = { 'content-type': 'application/json' };

const strings = z
  .array(z.string())
  .nullish()
  .transform((found) => found ?? null);
const wish = {
  ...{ PlacementTags: strings, VolumeDrivers: strings, RootFs: z.string().default('') },
  ...{ MemoryMB: z.int().default(0), DiskMB: z.int().default(0), MaxPids: z.int().default(0) },
};
const lrpStarts = z.array(
  z.object({
    ...{ process_guid: z.string().default(''), domain: z.string().default('') },
    indices: z
      .array(z.int())
      .nullish()
      .transform((found) => found ?? []),
    ...wish,
  }),
);
const taskStarts = z.array(
  z.object({
    ...{ TaskGuid: z.string().default(''), Domain: z.string().default('') },
    ...wish,
    ...{ state: z.string().default('Invalid'), failed: z.boolean().default(false) },
  }),
);

export function auctionHandler(
  auctioneer: Auctioneer,
  log: Log,
): (request: IncomingMessage, response: ServerResponse) => void {
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url, method } = request;
    if (url !== '/v1/lrps' && url !== '/v1/tasks') {
      answer(response, 404, '404 page not found\n');
      return;
    }
    if (method !== 'POST') {
      answer(response, 405, 'Method Not Allowed\n', { allow: 'POST' });
      return;
    }
    const body = await readBody(request);
    const value = body && jsonOf(body.toString());
    const lrps = lrpStarts.safeParse(url === '/v1/lrps' ? value : []);
    const tasks = taskStarts.safeParse(url === '/v1/tasks' ? value : []);
    const wrong = lrps.error ?? tasks.error;
    if (wrong) {
      answer(response, 400, JSON.stringify({ error: wrong.message }), JSON_TYPE);
      return;
    }
    auctioneer.auction(lrps.data ?? [], tasks.data ?? [], traceOf(request));
    answer(response, 202, '{}', JSON_TYPE);
  }
  return (request, response) => {
    serve(request, response).catch((err: unknown) => {
      log.warn({ err, url: request.url }, 'auction.request-broken');
      response.destroy();
    });
  };
}

import { z } from 'zod';
import type { CellLine } from './boot-time.js';
import { parse } from './cloud.js';
import * as shapes from './shapes.js';
import type { Session } from './session.js';

/** The least that log-cache knows; what the CLI itself sends. */
const START = '-6795364578871345152';

const read = z.looseObject({
  envelopes: z.looseObject({
    batch: z
      .array(
        z.looseObject({
          timestamp: z.coerce.bigint(),
          tags: z.record(z.string(), z.string()).default({}),
          log: z.looseObject({ payload: z.string().default('') }).optional(),
        }),
      )
      .default([]),
  }),
});

/** Where the platform keeps logs; undefined: it keeps none. */
export async function logCacheOf({ ask, api }: Session): Promise<string | undefined> {
  const { status, text } = await ask(`${api}/`);
  if (status !== 200) return undefined;
  return parse('/', shapes.rootDocument, text).links.log_cache?.href.replace(/\/+$/, '');
}

/** What the cells said of an app, as far as log-cache still has it. A log-cache that refuses has nothing to say. */
export async function cellLines(app: string, logCache: string, { ask, token }: Session): Promise<CellLine[]> {
  const query = new URLSearchParams({ descending: 'true', envelope_types: 'LOG', limit: '1000', start_time: START });
  const { status, text } = await ask(`${logCache}/api/v1/read/${app}?${query.toString()}`, {
    headers: { authorization: token },
  });
  if (status !== 200) return [];
  return parse('log-cache', read, text)
    .envelopes.batch.filter(({ log, tags }) => log !== undefined && tags['source_type'] === 'CELL')
    .map(({ timestamp, tags, log }) => ({
      at: timestamp,
      text: Buffer.from(log?.payload ?? '', 'base64').toString(),
      ...(tags['process_instance_id'] === undefined ? {} : { instance: tags['process_instance_id'] }),
    }));
}

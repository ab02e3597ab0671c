/** App logs where log-cache is another's: lines go to its Loggregator agent, gauges come from its reading API. */
import { request } from 'undici';
import { z } from 'zod';
import type { Identity } from '../backend/wire/bbs.js';
import { createAgent, encodeBatch, type Batches, type Envelope } from '../backend/wire/loggregator.js';
import { messageOf, UnikError } from '../core/errors.js';
import type { Log } from '../core/log.js';
import type { AppLogs } from './cc/diego/logs.js';

export interface RemoteLogsOptions {
  /** Of log-cache's API. */
  url: string;
  /** `host:port` of the agent. */
  agent: string;
  tls: Identity;
  log: Log;
}

/** Name in an agent's certificate. */
const AGENT_NAME = 'metron';
const PATIENCE_MS = 5_000;

const replySchema = z.object({
  envelopes: z.object({
    batch: z.array(
      z.looseObject({
        timestamp: z.string(),
        source_id: z.string(),
        instance_id: z.string().default(''),
        tags: z.record(z.string(), z.string()).default({}),
        gauge: z
          .object({
            metrics: z.record(z.string(), z.object({ unit: z.string().default(''), value: z.number().default(0) })),
          })
          .optional(),
      }),
    ),
  }),
});

export function remoteLogs({ url, agent, tls, log }: RemoteLogsOptions): AppLogs & { close(): Promise<void> } {
  const client = createAgent(agent, tls, AGENT_NAME);
  let batches: Batches | undefined;

  function open(): Batches {
    const opened = client.open();
    void opened.ended.then((err) => {
      if (err) log.warn({ reason: err.message }, 'logs.agent-lost');
      if (batches === opened) batches = undefined;
    });
    return (batches = opened);
  }

  return {
    write(envelope) {
      const { source_id, instance_id, tags, timestamp, log: line } = envelope;
      const bytes = encodeBatch([{ source: { source_id, instance_id, tags }, log: line }], () => timestamp);
      (batches ?? open()).write(bytes, (err) => {
        // A line is no reason to fail what it tells of.
        if (err) log.warn({ reason: err.message }, 'logs.line-lost');
      });
    },
    async read(source_id, { types, since, limit }) {
      const query = new URLSearchParams({ descending: 'true', limit: String(limit), start_time: `${since}000000` });
      for (const type of types) query.append('envelope_types', type);
      const address = `${url}/api/v1/read/${encodeURIComponent(source_id)}?${query.toString()}`;
      try {
        const { statusCode, body } = await request(address, { signal: AbortSignal.timeout(PATIENCE_MS) });
        if (statusCode === 404) {
          await body.dump();
          return [];
        }
        return replySchema
          .parse(await body.json())
          .envelopes.batch.map(
            ({ timestamp, ...rest }) => ({ ...rest, timestamp: BigInt(timestamp) }) as unknown as Envelope,
          );
      } catch (err) {
        throw new UnikError('peer_unreachable', `log-cache at ${url}: ${messageOf(err)}`, { cause: err });
      }
    },
    async close() {
      batches?.finish();
      await batches?.ended;
      client.close();
    },
  };
}

import { Agent, request } from 'undici';
import type { StagingFailure } from './failures.js';

/** How a staging ended. */
export type Completion = { result: unknown } | { error: StagingFailure };

export interface CloudController {
  /** Tells it the end of a staging; gives its status. Rejects where it cannot be reached in time. */
  complete(guid: string, callback: string, completion: Completion): Promise<number>;
  close: () => Promise<void>;
}

export interface CloudControllerOptions {
  base_url: string;
  username: string;
  password: string;
  /** PEM; trusted in place of the public authorities. */
  ca?: string;
  timeout_ms: number;
}

/** The completion callback of cloudfoundry/stager (`cc_client/cc_client.go`). */
export function createCloudController(options: CloudControllerOptions): CloudController {
  const { base_url, username, password, ca, timeout_ms } = options;
  const dispatcher = new Agent({ connect: { ...(ca === undefined ? {} : { ca }), timeout: timeout_ms } });
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  return {
    async complete(guid, callback, completion) {
      const own = `${base_url.replace(/\/+$/, '')}/internal/staging/${encodeURIComponent(guid)}/completed`;
      const reply = await request(callback || own, {
        ...{ dispatcher, method: 'POST', signal: AbortSignal.timeout(timeout_ms), body: JSON.stringify(completion) },
        headers: { authorization, 'content-type': 'application/json' },
      });
      await reply.body.dump();
      return reply.statusCode;
    },
    close: () => dispatcher.close(),
  };
}

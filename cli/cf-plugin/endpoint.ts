import { z } from 'zod';
import { UnikError } from '../../core/errors.js';
import { parse } from './cloud.js';
import type { Ask } from './transport.js';

const info = z.looseObject({ stack: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/) });

/**
 * The stack that a unik daemon or cell serves. It is asked without any credentials, as it is the user who named it; the
 * operator's list decides afterwards. Throws peer_unreachable, bad_reply, endpoint_refused.
 */
export async function stackOf(endpoint: string, ask: Ask): Promise<string> {
  const { status, text } = await ask(`${endpoint}/v1/info`);
  if (status !== 200) throw new UnikError('endpoint_refused', `${endpoint}/v1/info answered ${status}`);
  return parse(`${endpoint}/v1/info`, info, text).stack;
}

/** Types of a call's request and response, from the route table. */
import type { BBS_ROUTES, BbsCall } from '../../backend/wire/bbs-routes.js';
import type { MessageName, Sent } from '../../backend/wire/codec.js';
import type { Messages } from '../../protos/generated.js';

export type RequestOf<C extends BbsCall> = (typeof BBS_ROUTES)[C] extends { request: infer N extends MessageName }
  ? Messages[N]
  : undefined;

/** A response without its error: what the call answers when it succeeds. */
export type AnswerOf<C extends BbsCall> = Omit<Sent<Messages[(typeof BBS_ROUTES)[C]['response']]>, 'error'>;

/** The two doors of a cell, both with mutual TLS: for Diego, and for the host's own drain script (rep `routes.go`). */
import express, { type ErrorRequestHandler, type Express } from 'express';
import { createServer } from 'node:https';
import { messageOf, UnikError } from '../../core/errors.js';
import { closeNow, listenOn } from '../../core/listen.js';
import type { TlsIdentity } from '../../core/tls.js';
import { cancelTask } from './cancel-task.js';
import { evacuate } from './evacuate.js';
import { traceOf, type Face, type RepHandler } from './face.js';
import { cutInstance, instances } from './instances.js';
import { metrics } from './metrics.js';
import { perform } from './perform.js';
import { ping } from './ping.js';
import { reset } from './reset.js';
import { state } from './state.js';
import { stopLrp } from './stop-lrp.js';
import { updateLrp } from './update-lrp.js';

type Route = readonly [method: 'get' | 'post' | 'put' | 'delete', path: string, handler: RepHandler];

export const NETWORK_ROUTES: readonly Route[] = [
  ['get', '/state', state],
  ['get', '/container_metrics', metrics],
  ['post', '/work', perform],
  ['put', '/v1/lrps/:process_guid/instances/:instance_guid', updateLrp],
  ['put', '/v2/lrps/:process_guid/instances/:instance_guid', updateLrp],
  ['post', '/v1/lrps/:process_guid/instances/:instance_guid/stop', stopLrp],
  ['post', '/v1/tasks/:task_guid/cancel', cancelTask],
  ['post', '/sim/reset', reset],
];
export const ADMIN_ROUTES: readonly Route[] = [
  ['get', '/ping', ping],
  ['post', '/evacuate', evacuate],
  ['get', '/instances', instances],
  ['delete', '/instances/:guid', cutInstance],
];

/** How long a peer may take. */
export interface Patience {
  /** TLS handshake, and the header of a request. */
  header_ms: number;
  /** A whole request. */
  request_ms: number;
}
const PATIENCE: Patience = { header_ms: 10_000, request_ms: 30_000 };
const LARGEST_BODY = '10mb';

export interface ServeOptions {
  routes: readonly Route[];
  face: Face;
  tls: TlsIdentity;
  host: string;
  port: number;
  patience?: Patience;
}

/** Serves until closed. Throws config_invalid when the address cannot be had. */
export async function serve({ routes, face, tls, host, port, patience = PATIENCE }: ServeOptions): Promise<Served> {
  const server = createServer(
    {
      ...{ ca: tls.ca, cert: tls.cert, key: tls.key },
      ...{ requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2' },
      handshakeTimeout: patience.header_ms,
      headersTimeout: patience.header_ms,
      requestTimeout: patience.request_ms,
      connectionsCheckingInterval: Math.min(1_000, patience.header_ms),
      // Longer than Go keeps an idle connection, so that it never sends a request into one that we just closed.
      keepAliveTimeout: 120_000,
    },
    app(routes, face),
  );
  // A peer with a bad certificate, or none, is of no interest unless somebody looks for it.
  server.on('tlsClientError', (err, socket) => {
    face.log.debug({ reason: messageOf(err), peer: socket.remoteAddress }, 'rep.tls-refused');
  });
  return { port: await listenOn(server, { host, port }), close: () => closeNow(server) };
}

export interface Served {
  port: number;
  close(): Promise<void>;
}

function app(routes: readonly Route[], face: Face): Express {
  const made = express();
  made.disable('x-powered-by');
  made.disable('etag');
  // Diego's clients send JSON without saying so.
  made.use(express.json({ type: () => true, limit: LARGEST_BODY, strict: false }));
  for (const [method, path, handler] of routes) made[method](path, handler(face));
  made.use((request) => {
    throw new UnikError('not_found', `${request.method} ${request.path} is nothing that a cell answers`);
  });
  made.use(tellError(face));
  return made;
}

const tellError =
  (face: Face): ErrorRequestHandler =>
  (err: unknown, request, response, next) => {
    if (response.headersSent) {
      next(err);
      return;
    }
    const { status, code } = statusOf(err);
    const message = messageOf(err);
    const trace_id = traceOf(request);
    face.log[status >= 500 ? 'warn' : 'info']({ status, reason: message, path: request.path, trace_id }, 'rep.refused');
    response.status(status).json({ code, message });
  };

/** Ours carry their own status; the body parser's too (400 for broken JSON, 413 for too much). */
function statusOf(err: unknown): { status: number; code: string } {
  if (err instanceof UnikError) return { status: err.http, code: err.code };
  const status = typeof err === 'object' && err !== null && 'status' in err ? err.status : undefined;
  if (typeof status === 'number' && status >= 400 && status < 500) return { status, code: 'bad_request' };
  return { status: 500, code: 'internal' };
}

/** The one address of the platform: API, UAA, log-cache, log stream and the web page, told apart by path. */
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { closeNow, listenOn, originOf } from '../core/listen.js';
import { prefersHtml } from './page/guard.js';

export interface FrontParts {
  api: RequestListener;
  uaa: RequestListener;
  log_cache: RequestListener;
  log_stream: RequestListener;
  /** A browser's `GET /`, everything below `/ui/`, and `/v1/info`; absent: the API answers. */
  page?: RequestListener | undefined;
}

export interface Front {
  url: string;
  close(): Promise<void>;
}

export interface FrontOptions {
  host: string;
  port: number;
  parts: FrontParts;
}

const UAA = /^\/(login|info|oauth|token_keys?|userinfo|check_token|passcode|Users|\.well-known)(\/|\?|$)/;
const LOG_CACHE = /^\/api\/v1\//;
const LOG_STREAM = /^\/v2\/read(\?|$)/;
/** An upload of a gigabyte on a slow machine. */
const REQUEST_MS = 3_600_000;

export async function serveFront({ host, port, parts }: FrontOptions): Promise<Front> {
  const server = createServer((request, response) => {
    if (!isForUs(request, host)) {
      response.writeHead(421, { 'content-type': 'text/plain' }).end('this server is not known by that name\n');
      return;
    }
    pick(parts, request)(request, response);
  });
  server.requestTimeout = REQUEST_MS;
  server.headersTimeout = 10_000;
  server.keepAliveTimeout = 60_000;
  const bound = await listenOn(server, { host, port }, { code: 'port_taken' });
  return {
    url: originOf('http', { host, port: bound }),
    close: () => closeNow(server),
  };
}

/**
 * On loopback only under loopback's names: else a web page of anywhere could, by a name that leads here, speak to us as
 * if it were ours.
 */
function isForUs({ headers }: IncomingMessage, host: string): boolean {
  if (!/^(127\.|::1$|localhost$)/.test(host)) return true;
  const name = (headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
  return /^(127(\.\d+){3}|\[::1\]|localhost|.+\.localhost)$/.test(name);
}

function pick({ api, uaa, log_cache, log_stream, page }: FrontParts, { url = '/', method, headers }: IncomingMessage) {
  if (UAA.test(url)) return uaa;
  if (LOG_CACHE.test(url)) return log_cache;
  if (LOG_STREAM.test(url)) return log_stream;
  const wantsPage = url === '/' && (method === 'GET' || method === 'HEAD') && prefersHtml(headers.accept);
  if (page && (wantsPage || url.startsWith('/ui/') || url === '/v1/info')) return page;
  return api;
}

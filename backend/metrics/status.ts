/** The status port of a cell: what Prometheus reads. Plain HTTP and nothing that is secret. */
import { createServer } from 'node:http';
import { messageOf } from '../../core/errors.js';
import { closeNow, listenOn } from '../../core/listen.js';
import type { CellMetrics } from './cell-metrics.js';

export interface StatusPort {
  port: number;
  close(): Promise<void>;
}

/** `GET /metrics`, and `GET /health` for who only asks whether we live. Throws config_invalid. */
export async function serveStatus(
  { host, port }: { host: string; port: number },
  metrics: Pick<CellMetrics, 'text'>,
): Promise<StatusPort> {
  const server = createServer({ headersTimeout: 5_000, requestTimeout: 10_000 }, (request, response) => {
    const answer = (status: number, type: string, text: string): void => {
      response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
      response.end(request.method === 'HEAD' ? undefined : text);
    };
    const [path] = (request.url ?? '').split('?');
    if (request.method !== 'GET' && request.method !== 'HEAD') answer(405, 'text/plain', 'only GET\n');
    else if (path === '/health') answer(200, 'text/plain', 'ok\n');
    else if (path !== '/metrics') answer(404, 'text/plain', 'there are /metrics and /health\n');
    else {
      metrics.text().then(
        ({ type, text }) => answer(200, type, text),
        (err: unknown) => answer(500, 'text/plain', `${messageOf(err)}\n`),
      );
    }
  });
  return { port: await listenOn(server, { host, port }, { key: 'status_addr' }), close: () => closeNow(server) };
}

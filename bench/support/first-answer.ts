import { once } from 'node:events';
import { request } from 'node:http';
import { createServer } from 'node:net';

/** A busy machine without KVM takes long. */
const PATIENCE_MS = 180_000;

/** A guest under emulation has few connections to give; the oldest is given up for a new one. */
const MOST_OPEN = 12;

/** A TCP port of 127.0.0.1 that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (typeof address !== 'object' || address === null) throw new Error('no free port');
  return address.port;
}

/**
 * Milliseconds from `started` (of `performance.now`) to the first 200: a new connection every 20 ms, with those
 * before it still open. Throws after three minutes without one.
 */
export function firstAnswer(port: number, started: number, host = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const open = new Set<ReturnType<typeof request>>();
    const timer = setInterval(() => {
      if (performance.now() - started > PATIENCE_MS)
        end(() => reject(new Error(`${host}:${port}: no answer within three minutes`)));
      const ask = request({ host, port, path: '/', timeout: 3_000, agent: false }, (reply) => {
        reply.resume();
        if (reply.statusCode === 200) {
          const took = performance.now() - started;
          end(() => resolve(took));
        }
      });
      open.add(ask);
      const [oldest] = open;
      if (open.size > MOST_OPEN && oldest) oldest.destroy();
      ask.on('timeout', () => ask.destroy());
      ask.on('error', () => open.delete(ask));
      ask.on('close', () => open.delete(ask));
      ask.end();
    }, 20);
    const end = (settle: () => void): void => {
      clearInterval(timer);
      for (const ask of open) ask.destroy();
      settle();
    };
  });
}

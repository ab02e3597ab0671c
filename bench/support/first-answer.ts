import { once } from 'node:events';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { interrupted } from './interrupt.js';

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

/** Between connections, milliseconds: a twentieth of what has passed, so that a guest that boots long is not flooded. */
const pause = (passed: number): number => Math.max(20, passed / 20);

/**
 * Milliseconds from `started` (of `performance.now`) to the first 200: new connections all the while, with those
 * before still open. Throws after three minutes without one, and when the benchmark is told to end.
 */
export function firstAnswer(port: number, started: number, host = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const open = new Set<ReturnType<typeof request>>();
    let timer: NodeJS.Timeout | undefined;
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      interrupted.removeEventListener('abort', abort);
      for (const ask of open) ask.destroy();
      settle();
    };
    const abort = (): void => end(() => reject(interrupted.reason as Error));
    interrupted.addEventListener('abort', abort);
    if (interrupted.aborted) {
      abort();
      return;
    }
    const connect = (): void => {
      const passed = performance.now() - started;
      if (passed > PATIENCE_MS) {
        end(() => reject(new Error(`${host}:${port}: no answer within three minutes`)));
        return;
      }
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
      timer = setTimeout(connect, pause(passed));
    };
    timer = setTimeout(connect, pause(0));
  });
}

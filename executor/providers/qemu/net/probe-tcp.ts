import { createConnection, type Socket } from 'node:net';

/** A lost first packet is sent again after a second; a fresh connection is quicker. */
const AGAIN_MS = 250;

/** Does somebody at `host` take a TCP connection on `port`? False on refusal, timeout or abort. */
export function accepts(host: string, port: number, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const sockets: Socket[] = [];
    const finish = (answer: boolean): void => {
      clearTimeout(timeout);
      clearInterval(again);
      signal.removeEventListener('abort', giveUp);
      for (const socket of sockets) socket.destroy();
      resolve(answer);
    };
    const giveUp = (): void => {
      finish(false);
    };
    const attempt = (): void => {
      const socket = createConnection({ host, port });
      sockets.push(socket);
      socket.once('connect', () => {
        finish(true);
      });
      socket.on('error', giveUp);
    };
    const timeout = setTimeout(giveUp, timeoutMs);
    const again = setInterval(attempt, AGAIN_MS);
    signal.addEventListener('abort', giveUp, { once: true });
    if (signal.aborted) giveUp();
    else attempt();
  });
}

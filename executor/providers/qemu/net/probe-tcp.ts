import { createConnection } from 'node:net';

/** Does somebody at `host` take a TCP connection on `port`? False on refusal, timeout or abort. */
export function accepts(host: string, port: number, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve(false);
      return;
    }
    const socket = createConnection({ host, port });
    const finish = (answer: boolean) => (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      socket.destroy();
      resolve(answer);
    };
    const giveUp = finish(false);
    const timer = setTimeout(giveUp, timeoutMs);
    signal.addEventListener('abort', giveUp, { once: true });
    socket.once('connect', finish(true));
    socket.once('error', giveUp);
  });
}

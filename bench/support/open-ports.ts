import { createConnection } from 'node:net';
import { interrupted } from './interrupt.js';

const AT_ONCE = 128;
const LAST = 65_535;
/** A guest under emulation takes its time to refuse. */
const PATIENCE_MS = 3_000;

/** TCP ports of an address that take a connection, of all there are. */
export async function openPorts(host: string): Promise<number[]> {
  const open: number[] = [];
  let next = 1;
  const worker = async (): Promise<void> => {
    for (let port = next++; port <= LAST; port = next++) {
      interrupted.throwIfAborted();
      if (await takes(host, port)) open.push(port);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return open.sort((a, b) => a - b);
}

function takes(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port, timeout: PATIENCE_MS });
    const end = (taken: boolean) => (): void => {
      socket.destroy();
      resolve(taken);
    };
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false));
  });
}

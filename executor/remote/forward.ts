import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { hasCode, UnikError } from '../../core/errors.js';
import type { PortMapping } from '../model.js';

const CONNECT_MS = 5_000;

/** Where the guest is, once that is known. */
export type Target = () => string | undefined;

/**
 * The published ports of one machine: connections to this host are led on to the guest. Who calls a guest that does not
 * listen is hung up on.
 */
export class Forwards {
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  private constructor(private readonly target: Target) {}

  /** Throws port_taken, not_supported; `ports` then tells what was chosen where 0 was asked. */
  static async open(
    wanted: readonly PortMapping[],
    target: Target,
  ): Promise<{ forwards: Forwards; ports: PortMapping[] }> {
    const forwards = new Forwards(target);
    const ports: PortMapping[] = [];
    try {
      for (const mapping of wanted) {
        if (mapping.protocol === 'udp') throw new UnikError('not_supported', 'this provider publishes TCP ports only');
        ports.push({ ...mapping, host_port: await forwards.#listen(mapping) });
      }
    } catch (err) {
      forwards.close();
      throw err;
    }
    return { forwards, ports };
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #listen({ host_address: host, host_port, guest_port }: PortMapping): Promise<number> {
    const server = createServer({ allowHalfOpen: true }, (client) => this.#lead(client, guest_port));
    server.unref();
    return new Promise((resolve, reject) => {
      server.once('error', (err) =>
        reject(hasCode(err, 'EADDRINUSE') ? new UnikError('port_taken', `port ${host}:${host_port} is taken`) : err),
      );
      server.listen(host_port, host, () => {
        this.#servers.push(server);
        const address = server.address();
        resolve(typeof address === 'object' && address ? address.port : host_port);
      });
    });
  }

  #lead(client: Socket, port: number): void {
    const address = this.target();
    if (address === undefined) {
      client.resetAndDestroy();
      return;
    }
    const guest = createConnection({ host: address, port, allowHalfOpen: true });
    const timer = setTimeout(() => guest.destroy(), CONNECT_MS);
    let reached = false;
    for (const socket of [client, guest]) {
      this.#sockets.add(socket);
      // What goes wrong closes it, and closing one closes the other.
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        clearTimeout(timer);
        if (socket === guest && !reached) client.resetAndDestroy();
        else (socket === guest ? client : guest).destroy();
      });
    }
    guest.once('connect', () => {
      reached = true;
      clearTimeout(timer);
      client.pipe(guest);
      guest.pipe(client);
    });
  }
}

/** Did somebody take a connection there? Never throws. */
export function takesConnection(
  to: { host: string; port: number; timeout_ms: number },
  signal: AbortSignal,
): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const socket = createConnection({ host: to.host, port: to.port });
    const done = (answer: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', refuse);
      socket.destroy();
      resolve(answer);
    };
    const refuse = (): void => done(false);
    const timer = setTimeout(refuse, to.timeout_ms);
    signal.addEventListener('abort', refuse, { once: true });
    socket.once('connect', () => done(true));
    socket.on('error', refuse);
  });
}

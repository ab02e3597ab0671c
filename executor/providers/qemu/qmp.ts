import { createConnection, type Socket } from 'node:net';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { messageOf, UnikError } from '../../../core/errors.js';

/** An event as QEMU sends it, such as `{event: 'SHUTDOWN', data: {guest: true, reason: 'guest-shutdown'}}`. */
export interface QmpEvent {
  event: string;
  data?: Record<string, unknown>;
}

interface Reply {
  QMP?: unknown;
  return?: unknown;
  error?: { class: string; desc: string };
  event?: string;
  data?: Record<string, unknown>;
  id?: number;
}

/** Opens a Unix socket by folder and name: the path given to the kernel stays short however long the folder's is. */
export async function connectUnix(folder: string, name: string, signal?: AbortSignal): Promise<Socket> {
  const dir = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return await new Promise<Socket>((resolve, reject) => {
      const socket = createConnection(`/proc/self/fd/${dir.fd}/${name}`);
      const abort = (): void => {
        socket.destroy(signal?.reason as Error);
      };
      signal?.addEventListener('abort', abort, { once: true });
      if (signal?.aborted) abort();
      socket.once('error', reject);
      socket.once('close', () => signal?.removeEventListener('abort', abort));
      socket.once('connect', () => {
        socket.off('error', reject);
        signal?.removeEventListener('abort', abort);
        resolve(socket);
      });
    });
  } finally {
    await dir.close();
  }
}

/** Long enough for a machine that is busy beyond measure. */
const ANSWER_MS = 20_000;

/** A QMP conversation. QEMU serves one client per socket: a second one waits for its greeting until the first leaves. */
export class Qmp {
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (err: Error) => void }>();
  #next = 0;
  #greet: (() => void) | undefined;
  /** Resolves when QEMU, or we, closed the connection. */
  readonly closed: Promise<void>;

  private constructor(
    private readonly socket: Socket,
    private readonly onEvent: (event: QmpEvent) => void,
  ) {
    const lines = createInterface({ input: socket });
    lines.on('line', (line) => {
      this.#take(line);
    });
    // It repeats the socket's errors; 'close' follows and tells everybody who waits.
    lines.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        for (const { reject } of this.#waiting.values()) reject(new UnikError('machine_failed', 'QEMU went away'));
        this.#waiting.clear();
        resolve();
      });
    });
    socket.on('error', () => socket.destroy());
  }

  /**
   * Greets and negotiates; until closed, the signal ends the conversation. Throws machine_failed, or the system's error
   * where nobody listens.
   */
  static async connect(
    folder: string,
    name: string,
    options: { signal?: AbortSignal; onEvent?: (event: QmpEvent) => void } = {},
  ): Promise<Qmp> {
    const socket = await connectUnix(folder, name, options.signal);
    const qmp = new Qmp(socket, options.onEvent ?? (() => undefined));
    const { signal } = options;
    const abort = (): void => void socket.destroy();
    signal?.addEventListener('abort', abort, { once: true });
    void qmp.closed.then(() => signal?.removeEventListener('abort', abort));
    // It may have fired while the socket was being opened.
    if (signal?.aborted) abort();
    try {
      await qmp.#within(Promise.race([new Promise<void>((resolve) => (qmp.#greet = resolve)), qmp.closed]));
      await qmp.execute('qmp_capabilities');
      return qmp;
    } catch (err) {
      socket.destroy();
      throw err;
    }
  }

  /** A QEMU that does not answer in time is left: who waits for it hears that it went away. */
  async #within<T>(answer: Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.socket.destroy(), ANSWER_MS);
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
    }
  }

  /** One command. Throws machine_failed with QEMU's words when it refuses or goes away. */
  execute(command: string, args?: Record<string, unknown>): Promise<unknown> {
    const id = this.#next++;
    const answer = new Promise((resolve, reject) => {
      if (this.socket.destroyed) {
        reject(new UnikError('machine_failed', `QMP ${command}: QEMU went away`));
        return;
      }
      this.#waiting.set(id, { resolve, reject });
      this.socket.write(`${JSON.stringify({ execute: command, ...(args ? { arguments: args } : {}), id })}\n`);
    });
    return this.#within(answer);
  }

  close(): void {
    this.socket.destroy();
  }

  #take(line: string): void {
    let message: Reply;
    try {
      message = JSON.parse(line) as Reply;
    } catch (err) {
      this.socket.destroy(new UnikError('machine_failed', `QMP: not JSON: ${messageOf(err)}`));
      return;
    }
    if (message.QMP !== undefined) return this.#greet?.();
    if (message.event !== undefined) {
      this.onEvent({ event: message.event, ...(message.data ? { data: message.data } : {}) });
      return;
    }
    const waiting = message.id === undefined ? undefined : this.#waiting.get(message.id);
    if (!waiting || message.id === undefined) return;
    this.#waiting.delete(message.id);
    if (message.error) waiting.reject(new UnikError('machine_failed', `QMP: ${message.error.desc}`));
    else waiting.resolve(message.return);
  }
}

import { createServer, type Server } from 'node:http';
import type { Clock } from '../../../core/clock.js';
import { hasCode, UnikError } from '../../../core/errors.js';
import type { ConsoleChunk, ConsolePosition } from '../provider.js';
import { fate, lastWords, transcript, type Fate, type FakeState, type Utterance } from './state.js';

export interface Listener {
  guest_port: number;
  host: string;
  port: number;
}

/** A fake machine while this process looks after it: its servers, and those who wait for a change. */
export class FakeMachine {
  readonly #changed = new Set<() => void>();
  readonly #servers: Server[] = [];
  #closed = false;

  constructor(
    public state: FakeState,
    private readonly clock: Clock,
  ) {}

  /** The end, once it is past. */
  ended(): Fate | undefined {
    const end = fate(this.state);
    return end && end.at <= this.clock.now() ? end : undefined;
  }

  listens(): boolean {
    const { knobs, powered_on_at } = this.state;
    return !knobs.deaf && this.clock.now() >= powered_on_at + knobs.boot_delay_ms && !this.ended();
  }

  get listeners(): Listener[] {
    return this.state.handle.data['listeners'] as Listener[];
  }

  /** Wakes all who wait for a new state. */
  change(state: FakeState): void {
    this.state = state;
    for (const wake of this.#changed) wake();
  }

  /** Resolves at `at` or at the next change; rejects by the signal. */
  async wait(at: number | undefined, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const over = new AbortController();
    const changed = new Promise<void>((resolve, reject) => {
      const wake = (): void => {
        this.#changed.delete(wake);
        resolve();
      };
      this.#changed.add(wake);
      over.signal.addEventListener('abort', wake, { once: true });
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true, signal: over.signal });
    });
    const time = at === undefined ? changed : this.clock.sleep(Math.max(0, at - this.clock.now()), over.signal);
    try {
      await Promise.race([changed, time]);
    } finally {
      over.abort();
      // Ending the sleep rejects it; nobody is left to care.
      await Promise.allSettled([time]);
    }
  }

  /** Answers HTTP on a host port as the application would, its environment at `/env`; a connection is dropped while it does not listen. */
  async open(host: string, port: number): Promise<number> {
    const server = createServer(({ url }, response) =>
      response.end(url === '/env' ? JSON.stringify(this.state.env) : `hello from ${this.state.name}\n`),
    );
    server.on('connection', (socket) => {
      if (!this.listens()) socket.destroy();
    });
    server.unref();
    await new Promise<void>((resolve, reject) => {
      server.once('error', (err) =>
        reject(hasCode(err, 'EADDRINUSE') ? new UnikError('port_taken', `port ${host}:${port} is taken`) : err),
      );
      server.listen(port, host, resolve);
    });
    this.#servers.push(server);
    const address = server.address();
    return typeof address === 'object' && address ? address.port : port;
  }

  /** Its doors are shut and it says no more. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const server of this.#servers.splice(0)) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  async *console(from: ConsolePosition, signal: AbortSignal): AsyncGenerator<ConsoleChunk> {
    const position = { kernel: 0, stdout: 0, stderr: 0 };
    function* say({ stream, text }: Utterance): Generator<ConsoleChunk> {
      const bytes = Buffer.from(text);
      position[stream] += bytes.length;
      const end = position[stream];
      const fresh = Math.min(bytes.length, end - (from[stream] ?? 0));
      if (fresh > 0) yield { stream, bytes: bytes.subarray(bytes.length - fresh), end };
    }
    for (const next of transcript(this.state)) {
      while (next.at > this.clock.now() && !this.ended()) {
        await this.wait(Math.min(next.at, fate(this.state)?.at ?? next.at), signal);
      }
      signal.throwIfAborted();
      const end = this.ended();
      if (this.#closed) return;
      if (end && next.at > end.at) break;
      yield* say(next);
    }
    for (let end = this.ended(); !end; end = this.ended()) await this.wait(fate(this.state)?.at, signal);
    if (!this.#closed && this.state.term_at !== undefined && this.ended()?.at === this.state.term_at) {
      yield* say({ at: this.state.term_at, stream: 'stdout', text: lastWords });
    }
  }
}

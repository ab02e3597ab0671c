/** NATS: messages by subject, as JSON. The only file that knows the `nats` package. */
import { connect, Events, type ConnectionOptions, type NatsConnection } from 'nats';
import type { Clock } from '../../core/clock.js';
import { messageOf } from '../../core/errors.js';
import { jsonOf } from '../../core/json.js';
import type { Log } from '../../core/log.js';
import type { TlsIdentity } from '../../core/tls.js';

export interface Heard {
  subject: string;
  /** What the message holds; undefined where that is no JSON. */
  payload: unknown;
  /** Subject on which an answer is awaited; empty: none is. */
  reply: string;
}

/** Messages between who registers and who routes: NATS, or a stand-in within this process. Nothing is acknowledged. */
export interface Wire {
  /** False: there is no connection, it is lost. Say it again when there is one. */
  publish(subject: string, payload: object, reply?: string): boolean;
  /** `*` stands for one word of a subject. Returns how to stop. */
  subscribe(subject: string, hear: (heard: Heard) => void): () => void;
  /** Called at once with what is, then with each change. */
  onState(listener: (isConnected: boolean) => void): () => void;
}

export interface NatsOptions {
  /** Each `host:port`; one after another is tried. */
  servers: readonly string[];
  user?: string | undefined;
  password?: string | undefined;
  /** Present: a server that does not speak TLS is refused before it is told a password. */
  tls?: TlsIdentity | undefined;
  /** Shown by the server. */
  name: string;
  clock: Clock;
  log: Log;
  /** Between attempts to connect; 500 ms, as Diego's route-emitter. */
  retry_ms?: number;
  /** Between signs of life; 20 s. A server that misses two is left. */
  ping_ms?: number;
}

export interface Nats extends Wire {
  readonly isConnected: boolean;
  /** How often a connection was made. */
  readonly connects: number;
  /** What is said already is sent, if that is possible within `ms`. */
  close(ms?: number): Promise<void>;
}

const CONNECT_MS = 5_000;

/** Begins to connect, and goes on for as long as it takes. Never throws. */
export function createNats(options: NatsOptions): Nats {
  const { clock, log, retry_ms = 500 } = options;
  const closing = new AbortController();
  const subscriptions = new Set<{ subject: string; hear: (heard: Heard) => void; stop?: () => void }>();
  const listeners = new Set<(isConnected: boolean) => void>();
  let connection: NatsConnection | undefined;
  let isConnected = false;
  let connects = 0;

  function tell(state: boolean): void {
    if (isConnected === state) return;
    isConnected = state;
    if (state) connects++;
    log[state ? 'info' : 'warn']({ server: connection?.getServer() }, state ? 'nats.connected' : 'nats.lost');
    for (const listener of [...listeners]) listener(state);
  }

  function open(one: { subject: string; hear: (heard: Heard) => void; stop?: () => void }): void {
    const callback = (_err: unknown, message: { subject: string; data: Uint8Array; reply?: string }): void => {
      one.hear({
        subject: message.subject,
        payload: jsonOf(Buffer.from(message.data).toString()),
        reply: message.reply ?? '',
      });
    };
    const subscription = connection?.subscribe(one.subject, { callback });
    one.stop = () => subscription?.unsubscribe();
  }

  /** Until the connection ends for good: the client connects anew by itself. */
  async function use(found: NatsConnection): Promise<void> {
    connection = found;
    // Closed while it was made: nobody else would end it.
    if (closing.signal.aborted) await found.close();
    else for (const one of subscriptions) open(one);
    tell(!found.isClosed());
    // Not awaited: this list of events has no end, not even that of the connection.
    void (async () => {
      for await (const { type } of found.status()) {
        if (type === Events.Disconnect) tell(false);
        if (type === Events.Reconnect) tell(true);
      }
    })();
    const err = await found.closed();
    connection = undefined;
    tell(false);
    if (err) log.warn({ reason: messageOf(err) }, 'nats.closed');
  }

  async function run(): Promise<void> {
    let told = '';
    while (!closing.signal.aborted) {
      try {
        const found = await connect(connectionOptions(options));
        told = '';
        await use(found);
      } catch (err) {
        // Once for each reason, not twice a second.
        if (messageOf(err) !== told) log.warn({ reason: messageOf(err), servers: options.servers }, 'nats.unreachable');
        told = messageOf(err);
      }
      await clock.sleep(retry_ms, closing.signal).catch(() => undefined);
    }
  }
  const running = run();

  return {
    get isConnected() {
      return isConnected;
    },
    get connects() {
      return connects;
    },
    publish: (subject, payload, reply) => {
      // What is said while there is no connection would be kept and come late, when it may be wrong.
      if (!isConnected || !connection) return false;
      connection.publish(subject, JSON.stringify(payload), reply === undefined ? {} : { reply });
      return true;
    },
    subscribe: (subject, hear) => {
      const one: { subject: string; hear: (heard: Heard) => void; stop?: () => void } = { subject, hear };
      subscriptions.add(one);
      if (connection) open(one);
      return () => {
        subscriptions.delete(one);
        one.stop?.();
      };
    },
    onState: (listener) => {
      listeners.add(listener);
      listener(isConnected);
      return () => void listeners.delete(listener);
    },
    close: async (ms = 2_000) => {
      closing.abort();
      if (isConnected) await within(ms, connection?.flush());
      await connection?.close();
      await running;
    },
  };
}

function connectionOptions({ servers, user, password, tls, name, retry_ms, ping_ms }: NatsOptions): ConnectionOptions {
  return {
    servers: [...servers],
    name,
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { pass: password }),
    ...(tls ? { tls: { ca: tls.ca, cert: tls.cert, key: tls.key } } : {}),
    timeout: CONNECT_MS,
    reconnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: retry_ms ?? 500,
    pingInterval: ping_ms ?? 20_000,
    maxPingOut: 2,
    // Only those that the operator named: what a cluster tells of itself are addresses, and certificates hold names.
    ignoreClusterUpdates: true,
  };
}

/** Resolves when the work is done or has failed, at the latest after `ms`. */
async function within(ms: number, work: Promise<unknown> | undefined): Promise<void> {
  let late: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => (late = setTimeout(resolve, ms)));
  await Promise.race([limit, work?.catch(() => undefined)]);
  clearTimeout(late);
}

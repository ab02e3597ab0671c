/**
 * What stands in for NATS on one machine: the core of its protocol, so that cells register routes by the wire that they
 * use on a foundation. One server, no cluster, no persistence, no headers, no queue groups; loopback and a password.
 */
import { randomUUID, timingSafeEqual, createHash } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import type { Heard, Wire } from '../../backend/wire/nats.js';
import { messageOf, UnikError } from '../../core/errors.js';
import { jsonOf } from '../../core/json.js';
import { listenOn } from '../../core/listen.js';
import { noLog, type Log } from '../../core/log.js';
import { CommandReader, matches, type Command } from './parse.js';

export interface LocalNatsOptions {
  /** Default: loopback. There is no TLS: keep it there. */
  host?: string;
  /** 0: any free one. */
  port: number;
  user: string;
  password: string;
  log?: Log;
}

export interface LocalNats {
  /** `host:port`. */
  readonly address: string;
  /** For who listens in this process. */
  readonly wire: Wire;
  close(): Promise<void>;
}

const MAX_PAYLOAD = 1_048_576;
/** A client that does not read is let go before it fills our memory. */
const MAX_UNREAD = 8 * 2 ** 20;
/** So long a client may take to say who it is. */
const CONNECT_MS = 5_000;

interface Client {
  socket: Socket;
  isKnown: boolean;
  /** By id. */
  subscriptions: Map<string, { subject: string; left: number }>;
}

type Listener = (subject: string, payload: Buffer, reply: string) => void;

/** Throws config_invalid when the address cannot be had. */
export async function startLocalNats(options: LocalNatsOptions): Promise<LocalNats> {
  const { host = '127.0.0.1', log = noLog } = options;
  const clients = new Set<Client>();
  const listeners = new Set<{ subject: string; hear: Listener }>();

  function publish(subject: string, payload: Buffer, reply: string): void {
    for (const { subject: pattern, hear } of [...listeners])
      if (matches(pattern, subject)) hear(subject, payload, reply);
    for (const { socket, subscriptions } of clients) {
      for (const [sid, one] of subscriptions) {
        if (!matches(one.subject, subject)) continue;
        const head = ['MSG', subject, sid, ...(reply === '' ? [] : [reply]), payload.length].join(' ');
        socket.write(Buffer.concat([Buffer.from(`${head}\r\n`), payload, Buffer.from('\r\n')]));
        if (--one.left === 0) subscriptions.delete(sid);
      }
      if (socket.writableLength > MAX_UNREAD) {
        log.warn({ unread: socket.writableLength }, 'nats.slow-consumer');
        socket.destroy();
      }
    }
  }

  function obey(client: Client, command: Command): void {
    const { socket, subscriptions } = client;
    if (command.do === 'connect') {
      const { user, pass } = command.options;
      client.isKnown = same(user, options.user) && same(pass, options.password);
      socket.setTimeout(0);
    }
    if (!client.isKnown) throw new UnikError('unauthorized', 'Authorization Violation');
    if (command.do === 'ping') socket.write('PONG\r\n');
    if (command.do === 'publish') publish(command.subject, command.payload, command.reply);
    if (command.do === 'subscribe') subscriptions.set(command.sid, { subject: command.subject, left: -1 });
    if (command.do === 'unsubscribe') {
      const one = subscriptions.get(command.sid);
      if (one && command.most !== undefined) one.left = command.most;
      else subscriptions.delete(command.sid);
    }
  }

  const server = createServer((socket) => {
    const client: Client = { socket, isKnown: false, subscriptions: new Map() };
    const reader = new CommandReader(MAX_PAYLOAD);
    clients.add(client);
    socket.setNoDelay(true);
    socket.setTimeout(CONNECT_MS, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.once('close', () => clients.delete(client));
    socket.on('data', (bytes) => {
      try {
        for (const command of reader.read(bytes)) obey(client, command);
      } catch (err) {
        log.warn({ reason: messageOf(err) }, 'nats.client-refused');
        socket.end(`-ERR '${messageOf(err)}'\r\n`);
        socket.destroySoon();
      }
    });
    const info = {
      ...{ server_id: randomUUID(), version: '2.10.0', proto: 1, host, port: 0, headers: false },
      ...{ max_payload: MAX_PAYLOAD, auth_required: true },
    };
    socket.write(`INFO ${JSON.stringify(info)}\r\n`);
  });
  const port = await listenOn(server, { host, port: options.port });

  const wire: Wire = {
    publish: (subject, payload, reply = '') => {
      publish(subject, Buffer.from(JSON.stringify(payload)), reply);
      return true;
    },
    subscribe: (subject, hear) => {
      const one = { subject, hear: reader(hear) };
      listeners.add(one);
      return () => void listeners.delete(one);
    },
    onState: (listener) => {
      listener(true);
      return () => undefined;
    },
  };
  return {
    address: `${host}:${port}`,
    wire,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const { socket } of clients) socket.destroy();
      await closed;
    },
  };
}

function reader(hear: (heard: Heard) => void): Listener {
  return (subject, payload, reply) => hear({ subject, payload: jsonOf(payload.toString()), reply });
}

/** In constant time. */
function same(given: unknown, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return typeof given === 'string' && timingSafeEqual(digest(given), digest(wanted));
}

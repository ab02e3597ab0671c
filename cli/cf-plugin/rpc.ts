import { connect, type Socket } from 'node:net';
import { z } from 'zod';
import { UnikError } from '../../core/errors.js';
import { GobDecoder } from './gob/decode.js';
import { concat, GobEncoder } from './gob/encode.js';
import type { GobType, GobValue } from './gob/types.js';

const REQUEST = {
  struct: 'Request',
  fields: [
    ['ServiceMethod', 'string'],
    ['Seq', 'uint'],
  ],
} as const;
const response = z.looseObject({ ServiceMethod: z.string().default(''), Error: z.string().default('') });

/** The CLI refreshes a token over the network before it answers AccessToken. */
const CALL_MS = 60_000;

/**
 * The service of the cf CLI that a plugin may call: Go's net/rpc with gob, on a loopback port, one call at a time. All
 * calls may be repeated, so one whose connection ends before its answer is made once more over another.
 * Source: cloudfoundry/cli `plugin/rpc/cli_rpc_server.go`.
 */
export class CliService {
  private constructor(
    private readonly port: number,
    private connection: Connection,
  ) {}

  /** Throws peer_unreachable. */
  static async connect(port: number): Promise<CliService> {
    return new CliService(port, await Connection.open(port));
  }

  /** `method` without the service's name. Throws bad_reply, peer_unreachable, timeout; cf_refused: what the CLI says. */
  async call(method: string, type: GobType, argument: GobValue): Promise<GobValue> {
    try {
      return await this.connection.call(method, type, argument);
    } catch (err) {
      if (!(err instanceof UnikError) || err.code !== 'peer_unreachable') throw err;
      this.connection = await Connection.open(this.port).catch((cause: unknown) => {
        throw unreachable(`it ended while it was asked for ${method}`, cause);
      });
      return this.connection.call(method, type, argument);
    }
  }

  async text(method: string): Promise<string> {
    return read(method, z.string(), await this.call(method, 'string', ''));
  }

  async flag(method: string): Promise<boolean> {
    return read(method, z.boolean(), await this.call(method, 'string', ''));
  }

  /** Name and guid of the org or space that is targeted; empty when none is. */
  async target(what: 'Organization' | 'Space'): Promise<{ guid: string; name: string }> {
    const method = what === 'Space' ? 'GetCurrentSpace' : 'GetCurrentOrg';
    const fields = z.looseObject({ Guid: z.string().default(''), Name: z.string().default('') });
    const shape = z.looseObject({ [`${what}Fields`]: fields.prefault({}) });
    const found = read(method, shape, await this.call(method, 'string', ''))[`${what}Fields`];
    return { guid: found?.Guid ?? '', name: found?.Name ?? '' };
  }

  close(): void {
    this.connection.close();
  }
}

/** One of net/rpc: what types are is said once in each direction. */
class Connection {
  readonly #encoder = new GobEncoder();
  readonly #decoder = new GobDecoder();
  #seq = 0;
  #waiting: { resolve: (value: GobValue) => void; reject: (err: Error) => void } | undefined;
  #ended: UnikError | undefined;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (err) => this.#end(unreachable(err.message, err)));
    socket.on('close', () => this.#end(unreachable('the connection was closed')));
  }

  static async open(port: number): Promise<Connection> {
    const socket = connect({ host: '127.0.0.1', port });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', (err) => reject(unreachable(err.message, err)));
    });
    return new Connection(socket);
  }

  async call(method: string, type: GobType, argument: GobValue): Promise<GobValue> {
    const header = { ServiceMethod: `CliRpcCmd.${method}`, Seq: this.#seq++ };
    // In one piece: the second of two small ones would wait until the first is acknowledged.
    this.socket.write(concat([this.#encoder.encode(REQUEST, header), this.#encoder.encode(type, argument)]));
    const timer = setTimeout(
      () => this.#end(new UnikError('timeout', `the cf CLI did not answer ${method} in ${CALL_MS / 1000} s`)),
      CALL_MS,
    );
    try {
      const reply = response.safeParse(await this.#next());
      if (!reply.success) throw new UnikError('bad_reply', `the cf CLI sent no answer to ${method}`);
      // After an error an empty struct follows, which says nothing.
      const body = await this.#next();
      if (reply.data.Error !== '')
        throw new UnikError('cf_refused', `the cf CLI, asked for ${method}: ${reply.data.Error}`);
      return body;
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.socket.destroy();
  }

  async #next(): Promise<GobValue> {
    const there = this.#decoder.take();
    if (there) return there.value;
    if (this.#ended) throw this.#ended;
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  #receive(chunk: Uint8Array): void {
    try {
      this.#decoder.feed(chunk);
      const found = this.#waiting ? this.#decoder.take() : undefined;
      if (!found) return;
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting?.resolve(found.value);
    } catch (err) {
      this.#end(err instanceof UnikError ? err : new UnikError('bad_reply', 'the cf CLI sent no gob', { cause: err }));
    }
  }

  #end(error: UnikError): void {
    this.#ended ??= error;
    this.#waiting?.reject(this.#ended);
    this.#waiting = undefined;
    this.socket.destroy();
  }
}

function read<T>(method: string, shape: z.ZodType<T>, value: GobValue): T {
  const found = shape.safeParse(value);
  if (!found.success) throw new UnikError('bad_reply', `the cf CLI's answer to ${method} is not of the shape known`);
  return found.data;
}

const unreachable = (why: string, cause?: unknown): UnikError =>
  new UnikError('peer_unreachable', `the cf CLI's plugin service: ${why}`, { cause });

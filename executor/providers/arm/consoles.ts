import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { stat, appendFile, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { hasCode, messageOf, UnikError } from '../../../core/errors.js';
import type { Log } from '../../../core/log.js';
import { readSerialFile } from '../../remote/serial-file.js';
import type { ArmConfig, Board } from './config.js';

const AGAIN_MS = 1_000;

/** What boards say, as bytes from a position on, whatever brings it here. */
export class Consoles {
  readonly #lines = new Map<string, { socket?: Socket; timer?: NodeJS.Timeout }>();
  #udp: Promise<UdpSocket> | undefined;
  #closed = false;

  constructor(
    private readonly config: ArmConfig,
    /** The folder of a board. */
    private readonly folder: (board: string) => string,
    private readonly log: Log,
  ) {}

  /** Begins to listen for a board; again does nothing. Throws provider_unavailable. */
  async attend(board: Board): Promise<void> {
    if (board.console.kind === 'udp') {
      this.#udp ??= this.#openUdp();
      this.#udp.catch(() => (this.#udp = undefined));
      await this.#udp;
    }
    if (board.console.kind === 'tcp' && !this.#lines.has(board.id)) this.#dial(board);
  }

  leave(board: Board): void {
    const line = this.#lines.get(board.id);
    clearTimeout(line?.timer);
    line?.socket?.destroy();
    this.#lines.delete(board.id);
  }

  /** Before a machine begins: where its words will begin. What we keep ourselves begins anew. */
  async rewind(board: Board): Promise<number> {
    if (board.console.kind !== 'file') {
      await writeFile(this.#path(board), '', { mode: 0o600 });
      return 0;
    }
    try {
      return (await stat(board.console.path)).size;
    } catch (err) {
      if (hasCode(err, 'ENOENT')) return 0;
      throw err;
    }
  }

  /** Undefined: there is nothing yet. */
  read(board: Board, position: number): Promise<Buffer | undefined> {
    return readSerialFile(board.console.kind === 'file' ? board.console.path : this.#path(board), position);
  }

  close(): void {
    this.#closed = true;
    for (const { socket, timer } of this.#lines.values()) {
      clearTimeout(timer);
      socket?.destroy();
    }
    this.#lines.clear();
    void this.#udp?.then((socket) => socket.close()).catch(() => undefined);
  }

  #path(board: Board): string {
    return join(this.folder(board.id), 'console');
  }

  #dial(board: Board): void {
    if (board.console.kind !== 'tcp' || this.#closed) return;
    const line: { socket?: Socket; timer?: NodeJS.Timeout } = {};
    this.#lines.set(board.id, line);
    const { host, port } = board.console;
    const socket = connect({ host, port });
    line.socket = socket;
    socket.unref();
    let turn = Promise.resolve();
    socket.on('data', (bytes: Buffer) => {
      turn = turn.then(() => this.#keep(board, bytes));
    });
    socket.on('error', (err) => this.log.warn({ board: board.id, reason: messageOf(err) }, 'console.unreachable'));
    socket.on('close', () => {
      if (this.#closed || this.#lines.get(board.id) !== line) return;
      line.timer = setTimeout(() => this.#dial(board), AGAIN_MS).unref();
    });
  }

  /** Datagrams of anybody but a board are dropped. */
  #openUdp(): Promise<UdpSocket> {
    const byAddress = new Map(this.config.boards.map((board) => [board.address, board]));
    const socket = createSocket('udp4');
    socket.unref();
    let turn = Promise.resolve();
    socket.on('message', (bytes, from) => {
      const board = byAddress.get(from.address);
      if (board?.console.kind === 'udp') turn = turn.then(() => this.#keep(board, bytes));
    });
    const { server, log_port } = this.config;
    return new Promise((resolve, reject) => {
      socket.once('error', (err) =>
        reject(
          new UnikError('provider_unavailable', `UDP port ${log_port} of ${server}: ${messageOf(err)}`, { cause: err }),
        ),
      );
      socket.bind(log_port, server, () => resolve(socket));
    });
  }

  async #keep(board: Board, bytes: Buffer): Promise<void> {
    try {
      await appendFile(this.#path(board), bytes, { mode: 0o600 });
    } catch (err) {
      this.log.warn({ err, board: board.id }, 'console.not-kept');
    }
  }
}

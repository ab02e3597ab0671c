import { SingleBar } from 'cli-progress';
import type { Writable } from 'node:stream';
import { bytesText, printable } from './render.js';

type Terminal = Writable & { isTTY?: boolean };

/** Steps of long work: on a terminal a moving line that tells the time, elsewhere one plain line per step. */
export class Progress {
  readonly #began: number;
  #step = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly out: Terminal,
    private readonly now: () => number,
  ) {
    this.#began = now();
  }

  /** The step before it is done. */
  step(text: string): void {
    this.#settle();
    if (this.out.isTTY !== true) {
      this.out.write(`${printable(text)}\n`);
      return;
    }
    this.#step = printable(text);
    this.#draw();
    this.#timer ??= setInterval(() => this.#draw(), 120);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#settle();
  }

  #draw(): void {
    const spent = this.now() - this.#began;
    const spin = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'.charAt(Math.floor(spent / 120) % 10);
    this.out.write(`\r\x1b[2K${spin} ${(spent / 1000).toFixed(1)} s  ${this.#step}`);
  }

  #settle(): void {
    if (this.#step !== '') this.out.write(`\r\x1b[2K${this.#step}\n`);
    this.#step = '';
  }
}

/** Bytes on their way: a bar on a terminal, two plain lines elsewhere. */
export class ByteBar {
  readonly #bar: SingleBar | undefined;

  constructor(
    private readonly out: Terminal,
    private readonly what: string,
    total: number,
  ) {
    if (out.isTTY === true) {
      this.#bar = new SingleBar({ format: `${what} {bar} {percentage}%`, stream: out, clearOnComplete: false });
      this.#bar.start(Math.max(1, total), 0);
    } else out.write(`${what} (${bytesText(total)})\n`);
  }

  add(bytes: number): void {
    this.#bar?.increment(bytes);
  }

  end(): void {
    if (this.#bar) this.#bar.stop();
    else this.out.write(`${this.what}: done\n`);
  }
}

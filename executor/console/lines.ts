/** One line without its end, and where it ended in its stream, line end included. */
export interface CutLine {
  text: string;
  end: number;
}

/** The longest line kept whole, in bytes; a longer one is cut into several. */
export const MAX_LINE_BYTES = 64 * 1024;

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Bytes to lines. A line ends with `\n` or `\r\n`; escape sequences and lone `\r` stay. Text is decoded a line at a
 * time, so a character that two chunks share comes out whole; bytes that are no UTF-8 become U+FFFD.
 */
export class LineCutter {
  #parts: Uint8Array[] = [];
  #held = 0;
  #wasCut = false;

  /** `position`: where in the stream the first byte pushed stands. */
  constructor(
    private position = 0,
    private readonly max = MAX_LINE_BYTES,
  ) {}

  push(bytes: Uint8Array): CutLine[] {
    const lines: CutLine[] = [];
    for (let rest = bytes; ;) {
      const length = rest.indexOf(NEWLINE) + 1;
      const whole = length > 0;
      this.#hold(whole ? rest.subarray(0, length) : rest);
      while (this.#held - this.#endBytes() > this.max) lines.push(this.#cut());
      if (!whole) return lines;
      const line = this.#take();
      // A line end right after a cut ends the line that was cut; it is no empty line of its own.
      if (line.text !== '' || !this.#wasCut) lines.push(line);
      this.#wasCut = false;
      rest = rest.subarray(length);
    }
  }

  /** What is left when the stream has ended without a line end. */
  end(): CutLine | undefined {
    return this.#held > 0 ? this.#take() : undefined;
  }

  #hold(part: Uint8Array): void {
    if (part.length === 0) return;
    this.#parts.push(part);
    this.#held += part.length;
  }

  /** Bytes at the end of what is held that are, or may become, the line end. */
  #endBytes(): number {
    const last = this.#parts.at(-1);
    const [before, final] = [last?.at(-2) ?? this.#parts.at(-2)?.at(-1), last?.at(-1)];
    if (final === NEWLINE) return before === RETURN ? 2 : 1;
    return final === RETURN ? 1 : 0;
  }

  #join(): Uint8Array {
    const all = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#held = 0;
    return all;
  }

  #take(): CutLine {
    const endBytes = this.#parts.at(-1)?.at(-1) === NEWLINE ? this.#endBytes() : 0;
    const all = this.#join();
    return this.#line(all.subarray(0, all.length - endBytes), all.length);
  }

  #cut(): CutLine {
    const all = this.#join();
    let at = this.max;
    // Not inside a character: its further bytes are 10xxxxxx, at most three of them.
    while (at > this.max - 3 && ((all[at] ?? 0) & 0xc0) === 0x80) at--;
    this.#hold(all.subarray(at));
    this.#wasCut = true;
    return this.#line(all.subarray(0, at), at);
  }

  #line(content: Uint8Array, bytes: number): CutLine {
    this.position += bytes;
    return { text: decoder.decode(content), end: this.position };
  }
}

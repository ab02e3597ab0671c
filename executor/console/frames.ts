/**
 * The lines of a Linux guest on a machine without virtio-serial ports, where one serial line carries everything:
 * `@unik CRC BOOT KIND NUMBER TEXT` (docs/guest-protocol.md). Any other line is the kernel's or the firmware's.
 */

export interface Frame {
  /** Tells one boot of the machine from another. */
  boot: string;
  kind: 'control' | 'stdout' | 'stderr' | 'kernel';
  /** 1, 2, 3, ... within a boot. */
  number: number;
  bytes: Buffer;
}

const KINDS = { c: 'control', o: 'stdout', e: 'stderr', k: 'kernel' } as const;
const LINE = /^@unik ([0-9a-f]{4}) (([0-9a-f-]{4}) ([coek]) (\d+) (.*))$/;

/** `line` without its end. Undefined: it is no frame, or one that was damaged on its way. */
export function readFrame(line: string): Frame | undefined {
  const [, crc = '', body = '', boot = '', kind = 'k', number = '', text = ''] = LINE.exec(line) ?? [];
  if (!body || crc16(Buffer.from(body, 'latin1')) !== parseInt(crc, 16)) return undefined;
  const bytes = unescape(text);
  return bytes && { boot, kind: KINDS[kind as keyof typeof KINDS], number: Number(number), bytes };
}

function unescape(text: string): Buffer | undefined {
  const plain = text.replace(/\\(\\|n|x[0-9a-f]{2}|$|.)/g, (_, what: string) => {
    if (what === '\\') return '\\';
    if (what === 'n') return '\n';
    return what.length === 3 ? String.fromCharCode(parseInt(what.slice(1), 16)) : '\u{ffff}';
  });
  return plain.includes('\u{ffff}') ? undefined : Buffer.from(plain, 'latin1');
}

/** CRC-16/CCITT-FALSE. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc;
}

/** What comes of a serial line: bytes of one of the guest's streams, or a line that is no frame. */
export type Piece = Pick<Frame, 'kind' | 'bytes'>;

/**
 * Reads a serial line as it comes, in pieces of any size. A frame that was seen before (the same part of a console read
 * twice) gives nothing; `lost` counts those that are missing.
 */
export class FrameReader {
  #rest = '';
  #boot = '';
  #last = 0;
  lost = 0;

  /** Where a later process goes on: what this gives can be given to `resume`. */
  get state(): FrameState {
    return { rest: this.#rest, boot: this.#boot, last: this.#last, lost: this.lost };
  }

  static resume(state: FrameState): FrameReader {
    const reader = new FrameReader();
    reader.#rest = state.rest;
    reader.#boot = state.boot;
    reader.#last = state.last;
    reader.lost = state.lost;
    return reader;
  }

  read(bytes: Uint8Array): Piece[] {
    const lines = (this.#rest + Buffer.from(bytes).toString('latin1')).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines.flatMap((line) => this.#line(line.replace(/\r+$/, '')));
  }

  #line(line: string): Piece[] {
    const frame = readFrame(line);
    if (!frame) return line.startsWith('@unik ') ? [] : [{ kind: 'kernel', bytes: Buffer.from(`${line}\n`, 'latin1') }];
    if (frame.boot === this.#boot && frame.number <= this.#last) return [];
    if (frame.boot === this.#boot) this.lost += frame.number - this.#last - 1;
    this.#boot = frame.boot;
    this.#last = frame.number;
    return [frame];
  }
}

export interface FrameState {
  rest: string;
  boot: string;
  last: number;
  lost: number;
}

/**
 * What is new in a console of which only the last part is kept (EC2's newest 64 kB): `before` and `now` as they were
 * read. `gap`: between the two something was lost.
 */
export function consoleDelta(before: Buffer, now: Buffer): { added: Buffer; gap: boolean } {
  if (before.length === 0) return { added: now, gap: false };
  if (now.length >= before.length && now.subarray(0, before.length).equals(before)) {
    return { added: now.subarray(before.length), gap: false };
  }
  // The longest end of what was that is somewhere in what is; short ones could be anywhere.
  for (
    let length = Math.min(before.length, now.length);
    length >= 64 || length === before.length;
    length = length >> 1
  ) {
    const at = now.lastIndexOf(before.subarray(before.length - length));
    if (at >= 0) return { added: now.subarray(at + length), gap: false };
  }
  return { added: now, gap: before.length > 0 };
}

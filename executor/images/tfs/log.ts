import { Encoder } from './encode.js';

export const SECTOR = 512;
const MAGIC = Buffer.from('NVMTFS');
const VERSION = 5;
export const RECORD = { end: 1, tuple: 2, continued: 3, segment: 4, link: 5 } as const;
/** What the kernel may append for a link to the next extension. */
const SPARE = 64;

/**
 * One extension of a log, `sectors` long, zeros behind what it says. `record`: an encoded tuple. `link`: where the log
 * goes on, in sectors. Undefined when it does not fit.
 */
export function extension(
  sectors: number,
  { uuid, record, link }: { uuid?: Uint8Array; record?: Uint8Array; link?: { sector: number; sectors: number } },
): Buffer | undefined {
  const out = new Encoder();
  out.raw(MAGIC);
  out.varint(VERSION);
  out.varint(sectors);
  if (uuid) {
    out.raw(uuid);
    out.byte(0); // an empty label
  }
  if (record) {
    out.byte(RECORD.tuple);
    out.varint(record.length);
    out.varint(record.length);
    out.raw(record);
  }
  if (link) {
    out.byte(RECORD.link);
    out.varint(link.sector);
    out.varint(link.sectors);
  }
  out.byte(RECORD.end);
  const bytes = out.bytes();
  if (bytes.length + SPARE > sectors * SECTOR) return undefined;
  const whole = Buffer.alloc(sectors * SECTOR);
  bytes.copy(whole);
  return whole;
}

/** Sectors that an extension with a record of so many bytes takes. */
export function sectorsFor(recordBytes: number): number {
  return Math.ceil((recordBytes + 64 + SPARE) / SECTOR);
}

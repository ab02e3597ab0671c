const MAGIC = 0x1badb002;
/** The header is in the first part of the file, on a multiple of four bytes. Source: Multiboot specification 0.6.96. */
const SEARCHED = 8192;

/** Whether a multiboot loader would take this file. */
export function isMultiboot(file: Uint8Array): boolean {
  const bytes = Buffer.from(file.buffer, file.byteOffset, Math.min(file.byteLength, SEARCHED));
  for (let at = 0; at + 12 <= bytes.length; at += 4) {
    if (bytes.readUInt32LE(at) !== MAGIC) continue;
    const sum = MAGIC + bytes.readUInt32LE(at + 4) + bytes.readUInt32LE(at + 8);
    if (sum % 0x100000000 === 0) return true;
  }
  return false;
}

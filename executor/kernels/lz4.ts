/**
 * Decodes the "legacy" LZ4 frame that kernels are packed with: a magic number, then blocks, each behind its packed
 * length. Undefined when the bytes are not such a frame or are broken. `size`: length of the result in bytes.
 */
export function decodeLz4Legacy(frame: Uint8Array, size: number): Buffer | undefined {
  const input = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  if (input.length < 8 || input.readUInt32LE(0) !== 0x184c2102) return undefined;
  const output = Buffer.allocUnsafe(size);
  let [from, to] = [4, 0];
  while (from + 4 <= input.length && to < size) {
    const end = from + 4 + input.readUInt32LE(from);
    if (end > input.length) return undefined;
    const reached = decodeBlock(input.subarray(from + 4, end), output, to);
    if (reached === undefined) return undefined;
    [from, to] = [end, reached];
  }
  return to === size ? output : undefined;
}

/** Appends one block to `output` at `to` and gives where it ended. */
function decodeBlock(input: Buffer, output: Buffer, to: number): number | undefined {
  let from = 0;
  /** A length of 15 goes on in the following bytes, up to the first that is not 255. */
  const extended = (nibble: number): number => {
    let length = nibble;
    for (let more = nibble === 15 ? 255 : 0; more === 255; length += more) more = input[from++] ?? 0;
    return length;
  };
  while (from < input.length) {
    const token = input[from++] ?? 0;
    const literals = extended(token >> 4);
    if (from + literals > input.length || to + literals > output.length) return undefined;
    input.copy(output, to, from, from + literals);
    [from, to] = [from + literals, to + literals];
    if (from >= input.length) break; // the last sequence has no match
    if (from + 2 > input.length) return undefined;
    const distance = input.readUInt16LE(from);
    from += 2;
    const length = extended(token & 15) + 4;
    if (distance === 0 || distance > to || to + length > output.length) return undefined;
    copyMatch(output, to, distance, length);
    to += length;
  }
  return to;
}

/** The source may run into what is being written: then a pattern repeats. */
function copyMatch(output: Buffer, to: number, distance: number, length: number): void {
  if (distance >= length) {
    output.copy(output, to, to - distance, to - distance + length);
    return;
  }
  for (let index = 0; index < length; index++) output[to + index] = output[to + index - distance] ?? 0;
}

/** The longest message of an envelope, bytes (code.cloudfoundry.org/executor, `depot/log_streamer`). */
export const MAX_MESSAGE_BYTES = 61_440;

/** One line as the messages it becomes: parted at carriage returns and where it is too long, without empty ones. */
export function messagesOf(line: string): string[] {
  return line.split('\r').flatMap((part) => (part === '' ? [] : pieces(part)));
}

function pieces(text: string): string[] {
  // No character takes more than three bytes per unit of a string.
  if (text.length * 3 <= MAX_MESSAGE_BYTES || Buffer.byteLength(text) <= MAX_MESSAGE_BYTES) return [text];
  const bytes = Buffer.from(text);
  const cut: string[] = [];
  for (let from = 0; from < bytes.length;) {
    let to = Math.min(from + MAX_MESSAGE_BYTES, bytes.length);
    // Not within a character: its further bytes begin with the bits 10.
    while (to < bytes.length && ((bytes[to] ?? 0) & 0xc0) === 0x80) to--;
    cut.push(bytes.toString('utf8', from, to));
    from = to;
  }
  return cut;
}

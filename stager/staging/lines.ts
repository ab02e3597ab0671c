import { StringDecoder } from 'node:string_decoder';

/** Longer ones are told in pieces, so that a program without line ends takes no memory of ours. */
const MAX_LENGTH = 60_000;

/** Parts what a program writes into lines, without their ends. Call `end` when it has ended. */
export function lineSplitter(tell: (line: string) => void): { push(bytes: Uint8Array): void; end(): void } {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  const take = (text: string): void => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) tell(line);
    for (; rest.length > MAX_LENGTH; rest = rest.slice(MAX_LENGTH)) tell(rest.slice(0, MAX_LENGTH));
  };
  return {
    push: (bytes) => take(decoder.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))),
    end() {
      take(decoder.end());
      if (rest !== '') tell(rest);
      rest = '';
    },
  };
}

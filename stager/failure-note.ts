import { writeFile } from 'node:fs/promises';
import { messageOf, readError, type UnikError } from '../core/errors.js';

/**
 * Names, in the environment of a build, the file where its end is to be explained. Who runs it sees an exit status, and
 * Diego's words for that say nothing of the cause.
 */
export const FAILURE_FILE = 'UNIK_FAILURE_FILE';

/** Leaves `{code, message}` where the environment asks for it. What cannot be written is a loss of comfort alone. */
export async function leaveNote(env: NodeJS.ProcessEnv, { code, message }: UnikError): Promise<void> {
  const file = env[FAILURE_FILE];
  if (file === undefined || file === '') return;
  await writeFile(file, JSON.stringify({ code, message })).catch((err: unknown) => {
    process.stderr.write(`${FAILURE_FILE}: ${messageOf(err)}\n`);
  });
}

/** Undefined for anything but a note; it may come from those who mean no good. */
export function readNote(text: string): UnikError | undefined {
  try {
    return readError(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** What the BBS keeps of a reason, less a reserve (bbs `models`, 1024 bytes). */
const MAX_BYTES = 1_000;

/**
 * The cause and its remedy before Diego's own words, which stay last and whole: Cloud Controller tells failures apart by
 * the exit status they end with.
 */
export function explainedReason(text: string, why: UnikError | undefined): string {
  if (!why) return text;
  const rest = `(${why.code}) Fix: ${why.hint} ${text}`;
  if (text.includes(why.message)) return rest;
  return `${cut(plain(why.message), MAX_BYTES - Buffer.byteLength(rest))} ${rest}`;
}

/** One line, without what could move a terminal's cursor. */
function plain(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trim())
    .join(' ')
    .replace(/[\p{Cc}\p{Cf}]/gu, '');
}

function cut(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  const head = Buffer.from(text).subarray(0, Math.max(0, bytes - 3));
  // A letter that was cut in the middle is dropped.
  return `${new TextDecoder().decode(head, { stream: true })}...`;
}

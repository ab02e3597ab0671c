import { pino, type Logger } from 'pino';

/** JSON lines with stable snake_case keys; the message is a dotted kebab-case event such as `machine.started`. */
export type Log = Logger;

/** `destination`: a path appended to (mode 0600), or undefined for standard error. */
export function createLog(name: string, level: string, destination?: string): Log {
  return pino(
    { name, level, base: { name } },
    pino.destination(
      destination ? { dest: destination, mkdir: true, mode: 0o600, sync: true } : { dest: 2, sync: true },
    ),
  );
}

/** For tests and for callers that want silence. */
export const noLog: Log = pino({ enabled: false });

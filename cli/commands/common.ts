import type { Command } from 'commander';
import type { Client } from '../client.js';
import { usage } from '../parse.js';
import { connect, type Shell } from '../shell.js';

export interface HostOption {
  host?: string;
}

/** A subcommand that talks to a daemon: takes `--host`, as UniK's commands did. */
export function daemonCommand(parent: Command, nameAndArgs: string, summary: string): Command {
  return parent
    .command(nameAndArgs)
    .description(summary)
    .option(
      '--host <target>',
      'the daemon: unix:///PATH or https://HOST:PORT (default: UNIK_HOST, `unik target`, own)',
    );
}

/** Runs `use` with a client of the chosen daemon and closes it. Our own daemon is started when it does not run. */
export async function withClient<T>(
  shell: Shell,
  options: HostOption,
  use: (client: Client) => Promise<T>,
  start = true,
): Promise<T> {
  const client = await connect(shell, options.host, start);
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

/** For `.option('-e, --env <x>', ..., collect)`: the option may be repeated. */
export function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** Positional names and the names of UniK's long flag together; none is wrong usage. */
export function refsOf(positional: readonly string[], flag: string | undefined, what: string): string[] {
  const refs = [...positional, ...(flag !== undefined ? [flag] : [])];
  if (refs.length === 0) throw usage(`give the name or id of ${what}`);
  return refs;
}

/** A query flag: left out when false. */
export function yes(value: boolean | undefined): 'true' | undefined {
  return value === true ? 'true' : undefined;
}

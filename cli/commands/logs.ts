import type { Command } from 'commander';
import type { LogLineView } from '../../backend/api/schema/instances.js';
import type { Client } from '../client.js';
import { parseSince, parseWhole } from '../parse.js';
import { print, type Shell } from '../shell.js';
import { daemonCommand, refsOf, withClient, yes, type HostOption } from './common.js';

interface Flags extends HostOption {
  instance?: string;
  follow?: boolean;
  tail?: string;
  since?: string;
  timestamps?: boolean;
  app?: boolean;
  json?: boolean;
}

export function addLogs(program: Command, shell: Shell): void {
  daemonCommand(program, 'logs [instance]', 'what an instance has written')
    .option('--instance <name>', 'the instance, as UniK wrote it')
    .option('-f, --follow', 'go on until it has ended')
    .option('-n, --tail <lines>', 'only the last lines (`all`: every one)')
    .option('--since <time>', 'from 10m ago, or 2026-11-23T10:00:00Z')
    .option('-t, --timestamps', 'begin each line with its time')
    .option('--app', 'only what the application wrote, without the lines of its kernel')
    .option('--json', 'one JSON object a line')
    .action(async (instance: string | undefined, flags: Flags) => {
      const [ref = ''] = refsOf(instance === undefined ? [] : [instance], flags.instance, 'an instance');
      await withClient(shell, flags, (client) => follow(shell, client, ref, flags));
    });
}

/** Reads as the flags say and writes until there is no more. */
export async function follow(shell: Shell, client: Client, ref: string, flags: Flags): Promise<void> {
  const query = {
    follow: yes(flags.follow),
    tail: flags.tail === undefined || flags.tail === 'all' ? undefined : String(parseWhole(flags.tail, '--tail', 0)),
    since: flags.since === undefined ? undefined : String(parseSince(flags.since, shell.now())),
    kernel: yes(flags.app !== true),
  };
  await write(shell, await client.stream('logs', { params: { ref }, query }), flags);
}

/** The application's standard output goes to ours; its standard error and its kernel's lines to our standard error. */
export async function write(shell: Shell, lines: AsyncIterable<LogLineView>, flags: Flags): Promise<void> {
  for await (const line of lines) {
    if (flags.json === true) {
      print(shell.stdout, JSON.stringify(line));
      continue;
    }
    const time = flags.timestamps === true ? `${new Date(line.at).toISOString()} ` : '';
    print(line.stream === 'stdout' ? shell.stdout : shell.stderr, time + line.text);
  }
}

import type { Command } from 'commander';
import type { Client } from '../client.js';
import { complete, SCRIPTS, type NameKind } from '../completion.js';
import { usage } from '../parse.js';
import { print, type Shell } from '../shell.js';
import { withClient } from './common.js';

export function addCompletion(program: Command, shell: Shell): void {
  program
    .command('completion <shell>')
    .description('print the completion script of bash, zsh or fish')
    .action((name: string) => {
      const script = SCRIPTS[name];
      if (script === undefined) throw usage(`completion ${name}: expected ${Object.keys(SCRIPTS).join(', ')}`);
      shell.stdout.write(script);
    });
  program.command('__complete [words...]', { hidden: true }).action(async (words: string[]) => {
    const { words: found, names } = complete(program, words);
    const typed = words.at(-1) ?? '';
    const dynamic = names ? await namesOf(shell, names) : [];
    for (const word of [...found, ...dynamic.filter((name) => name.startsWith(typed))]) print(shell.stdout, word);
  });
}

/** Names the daemon knows; none when it does not answer, for a completion must never complain. */
async function namesOf(shell: Shell, kind: NameKind): Promise<string[]> {
  try {
    return await withClient(shell, {}, (client) => list(client, kind), false);
  } catch {
    return [];
  }
}

async function list(client: Client, kind: NameKind): Promise<string[]> {
  if (kind === 'kernel') return (await client.call('kernels', {})).map(({ id }) => id);
  if (kind === 'image')
    return (await client.call('images', {})).flatMap(({ names }) => names.map((name) => name.replace(/:latest$/, '')));
  return (await client.call('instances', { query: { all: 'true' } })).map(({ name }) => name);
}

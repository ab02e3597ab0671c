import type { Command } from 'commander';
import { cellInstances, cutCellInstance } from '../cells.js';
import type { Client } from '../client.js';
import { parseDuration } from '../parse.js';
import { ago, portsText, shortId, statusText, table } from '../render.js';
import { print, printJson, type Shell } from '../shell.js';
import { daemonCommand, refsOf, withClient, yes, type HostOption } from './common.js';

type PsFlags = HostOption & { all?: boolean; quiet?: boolean; json?: boolean; cells?: boolean };
type RefFlags = HostOption & { instance?: string };
type StopFlags = RefFlags & { time?: string };

export function addInstances(program: Command, shell: Shell): void {
  daemonCommand(program, 'ps', 'list instances')
    .alias('instances')
    .option('-a, --all', 'also those that do not run')
    .option('-q, --quiet', 'print only ids')
    .option('--json', 'print JSON')
    .option('--cells', 'those of the cells of this host, which Cloud Foundry placed there')
    .action((flags: PsFlags) =>
      flags.cells === true ? listCells(shell, flags) : withClient(shell, flags, (client) => list(shell, client, flags)),
    );

  verb('stop', 'SIGTERM, then power-off after the grace')
    .option('-t, --time <time>', 'the grace, default: what `run` was told')
    .action(
      each((client, ref, flags: StopFlags) =>
        client.call('instanceStop', { params: { ref }, body: { timeout_ms: grace(flags) } }),
      ),
    );

  verb('start', 'boot a new machine for an instance that has ended')
    .option('--kernel <id>', 'kernel entry from now on; `newest`: the newest that fits')
    .action(
      each((client, ref, flags: RefFlags & { kernel?: string }) =>
        client.call('instanceStart', { params: { ref }, body: { kernel: flags.kernel } }),
      ),
    );

  verb('restart', 'stop, then start')
    .option('-t, --time <time>', 'the grace, default: what `run` was told')
    .option('--kernel <id>', 'kernel entry from now on; `newest`: the newest that fits')
    .action(
      each((client, ref, flags: StopFlags & { kernel?: string }) =>
        client.call('instanceRestart', { params: { ref }, body: { timeout_ms: grace(flags), kernel: flags.kernel } }),
      ),
    );

  verb('kill', 'send a signal to the application; SIGKILL cuts the power')
    .option('-s, --signal <signal>', 'such as HUP, SIGTERM or 15', 'SIGKILL')
    .action(
      each((client, ref, flags: RefFlags & { signal: string }) =>
        client.call('instanceKill', { params: { ref }, body: { signal: flags.signal } }),
      ),
    );

  verb('rm', 'remove instances and their logs')
    .alias('delete-instance')
    .option('-f, --force', 'also those that run')
    .action(async (refs: string[], flags: RefFlags & { force?: boolean }) => {
      // One of a cell goes as in a power failure, and Cloud Foundry puts another in its place.
      const rest: string[] = [];
      for (const ref of refsOf(refs, flags.instance, 'an instance')) {
        if (flags.host === undefined && (await cutCellInstance(shell.home, ref))) print(shell.stdout, ref);
        else rest.push(ref);
      }
      const { instance: _taken, ...others } = flags;
      if (rest.length > 0) await removeAll(rest, others);
    });

  const removeAll = each((client, ref, flags: RefFlags & { force?: boolean }) =>
    client.call('instanceRemove', { params: { ref }, query: { force: yes(flags.force) } }),
  );

  verb('wait', 'wait until instances have ended, print their exit statuses').action((refs: string[], flags: RefFlags) =>
    withClient(shell, flags, async (client) => {
      for (const ref of refsOf(refs, flags.instance, 'an instance')) {
        const { status } = await client.call('instanceWait', { params: { ref }, query: {} });
        print(shell.stdout, String(status));
      }
    }),
  );

  function verb(name: string, summary: string): Command {
    return daemonCommand(program, `${name} [instances...]`, summary).option(
      '--instance <name>',
      'the instance, as UniK wrote it',
    );
  }

  /** One after the other; each name is printed as it is done, the first failure ends it. */
  function each<F extends RefFlags>(act: (client: Client, ref: string, flags: F) => Promise<unknown>) {
    return (refs: string[], flags: F): Promise<void> =>
      withClient(shell, flags, async (client) => {
        for (const ref of refsOf(refs, flags.instance, 'an instance')) {
          await act(client, ref, flags);
          print(shell.stdout, ref);
        }
      });
  }
}

function grace(flags: StopFlags): number | undefined {
  return flags.time === undefined ? undefined : parseDuration(flags.time, '--time');
}

async function list(shell: Shell, client: Client, flags: PsFlags): Promise<void> {
  const rows = await client.call('instances', { query: { all: yes(flags.all) } });
  if (flags.json === true) {
    printJson(shell, rows);
    return;
  }
  if (flags.quiet === true) {
    for (const { id } of rows) print(shell.stdout, shortId(id));
    return;
  }
  const now = shell.now();
  const cells = rows.map((row) => [
    shortId(row.id),
    row.name,
    row.image.ref,
    row.provider,
    statusText(row, now),
    `${ago(now - row.created_at)} ago`,
    portsText(row.ports),
  ]);
  print(shell.stdout, table(['ID', 'NAME', 'IMAGE', 'PROVIDER', 'STATUS', 'CREATED', 'PORTS'], cells));
}

async function listCells(shell: Shell, flags: PsFlags): Promise<void> {
  const rows = await cellInstances(shell.home);
  if (flags.json === true) printJson(shell, rows);
  else if (flags.quiet === true) for (const { guid } of rows) print(shell.stdout, guid);
  else {
    const cells = rows.map(({ guid, name, state, memory_mb, cell }) => [guid, name, state, `${memory_mb} MB`, cell]);
    print(shell.stdout, table(['ID', 'NAME', 'STATE', 'MEMORY', 'CELL'], cells));
  }
}

import type { Command } from 'commander';
import { readdir } from 'node:fs/promises';
import type { DoctorReport } from '../../backend/api/schema/system.js';
import { hasCode, toUnikError, UnikError } from '../../core/errors.js';
import { homePaths } from '../../core/home.js';
import { VERSION } from '../../core/version.js';
import { Client } from '../client.js';
import { answers, connect, isUnreachable, print, printJson, type Shell } from '../shell.js';
import { startDetached } from '../start-detached.js';
import { chooseTarget } from '../target.js';
import { daemonCommand, withClient, type HostOption } from './common.js';

type JsonFlags = HostOption & { json?: boolean };

export function addDaemon(program: Command, shell: Shell): void {
  program
    .command('daemon')
    .description('serve: hold the machines of $UNIK_HOME and answer the other commands')
    .option('-d, --detach', 'in the background; its log is $UNIK_HOME/daemon.log')
    .action(async (flags: { detach?: boolean }) => {
      if (flags.detach !== true) return serve(shell);
      const client = new Client({ kind: 'unix', path: homePaths(shell.home).socket });
      try {
        if (await answers(client)) throw new UnikError('daemon_running', `a daemon already serves ${shell.home}`);
      } finally {
        await client.close();
      }
      print(shell.stdout, await startDetached(shell));
    });

  daemonCommand(program, 'down', 'stop all machines and what serves: Cloud Foundry, the daemon').action(
    (flags: HostOption) => down(shell, flags),
  );

  daemonCommand(program, 'gc', 'remove strays: machines and files that no record knows')
    .option('--owner <owner>', 'DEPLOYMENT/CELL_ID of a dead cell whose machines are to go')
    .action((flags: HostOption & { owner?: string }) =>
      withClient(shell, flags, async (client) => {
        const { machines, temporary_files } = await client.call('gc', { body: { owner: flags.owner } });
        for (const key of machines) print(shell.stdout, `removed machine ${key}`);
        print(shell.stdout, `${machines.length} machines, ${temporary_files} temporary files`);
      }),
    );

  daemonCommand(program, 'doctor', 'what works on this host, and how to mend the rest')
    .option('--json', 'print JSON')
    .action(async (flags: JsonFlags) => {
      const report = await examine(shell, flags);
      if (flags.json === true) printJson(shell, report);
      else for (const line of doctorLines(report)) print(shell.stdout, line);
      if (!report.ok) shell.setExit(1);
    });

  daemonCommand(program, 'version', 'versions of this command and of the daemon')
    .option('--json', 'print JSON')
    .action(async (flags: JsonFlags) => {
      const daemon = await withClient(shell, flags, versionOf, false);
      if (flags.json === true) printJson(shell, { client: VERSION, daemon: daemon ?? null });
      else print(shell.stdout, `unik ${VERSION}, daemon ${daemon ?? 'not running'}`);
    });
}

async function serve(shell: Shell): Promise<void> {
  try {
    await shell.local.runDaemon(shell.home, (line) => {
      print(shell.stdout, line);
      shell.tellParent({ ready: line });
    });
  } catch (err) {
    const { code, message } = toUnikError(err);
    shell.tellParent({ code, message });
    throw err;
  }
}

async function versionOf(client: Client): Promise<string | undefined> {
  try {
    return (await client.call('info', {})).version;
  } catch (err) {
    if (isUnreachable(err)) return undefined;
    throw err;
  }
}

/** The daemon's own view where one answers, else a look without one. */
async function examine(shell: Shell, flags: HostOption): Promise<DoctorReport> {
  const { own } = await chooseTarget(flags.host, shell.env, shell.home);
  const client = await connect(shell, flags.host, false);
  try {
    return await client.call('doctor', {});
  } catch (err) {
    if (own && isUnreachable(err)) return await shell.local.doctor(shell.home);
    throw err;
  } finally {
    await client.close();
  }
}

export function doctorLines({ findings }: DoctorReport): string[] {
  const marks = { ok: 'ok     ', warning: 'warning', error: 'ERROR  ' };
  return findings.flatMap(({ name, status, detail, fix }) => [
    `${marks[status]}  ${name}: ${detail}`,
    ...(fix === undefined ? [] : [`         fix: ${fix}`]),
  ]);
}

/** A daemon that was killed leaves its machines running: another is started to end them properly. */
async function down(shell: Shell, flags: HostOption): Promise<void> {
  const { own } = await chooseTarget(flags.host, shell.env, shell.home);
  if (own && (await shell.local.runDown(shell))) print(shell.stdout, 'stopped Cloud Foundry');
  const start = own && (await hasInstances(shell.home));
  const client = await connect(shell, flags.host, start);
  try {
    const { stopped } = await client.call('shutdown', {});
    print(shell.stdout, `stopped ${stopped} ${stopped === 1 ? 'machine' : 'machines'} and the daemon`);
  } catch (err) {
    if (!own || !isUnreachable(err)) throw err;
    print(shell.stdout, `no daemon runs for ${shell.home}`);
  } finally {
    await client.close();
  }
}

async function hasInstances(home: string): Promise<boolean> {
  try {
    return (await readdir(homePaths(home).apps)).some((name) => name.endsWith('.json'));
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return false;
    throw err;
  }
}

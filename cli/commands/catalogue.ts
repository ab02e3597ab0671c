import type { Command } from 'commander';
import { resolve } from 'node:path';
import { buildGuests, type GuestName } from '../../backend/api/schema/guests.js';
import type { ReplyOf } from '../../backend/api/schema/routes.js';
import { usage } from '../parse.js';
import { table } from '../render.js';
import { print, printJson, type Shell } from '../shell.js';
import { daemonCommand, withClient, type HostOption } from './common.js';

type JsonFlags = HostOption & { json?: boolean };
type KernelFlags = HostOption & { guest?: string; arch?: string };

/** What machines are made of and run on: kernels, providers, guests. */
export function addCatalogue(program: Command, shell: Shell): void {
  const kernel = program.command('kernel').description('work with kernels');
  daemonCommand(kernel, 'ls', 'list kernels')
    .option('--json', 'print JSON')
    .action((flags: JsonFlags) =>
      withClient(shell, flags, async (client) => {
        const all = await client.call('kernels', {});
        const cells = all.map(({ id, guest, abi, version, arch, overhead_mb }) => [
          id,
          guest,
          abi,
          version,
          arch,
          String(overhead_mb),
        ]);
        show(flags, all, ['ID', 'GUEST', 'ABI', 'VERSION', 'ARCH', 'OVERHEAD(MB)'], cells);
      }),
    );
  daemonCommand(kernel, 'import <path>', 'take an unpacked Linux kernel package, or a prebuilt kernel of a library OS')
    .option('--guest <name>', 'what it boots as: unikraft, nanos, osv; default linux')
    .option('--arch <arch>', 'x86_64 or aarch64; default x86_64')
    .option('--as <version>', 'its version, where it does not say so itself')
    .action((path: string, flags: KernelFlags & { as?: string }) =>
      withClient(shell, flags, async (client) => {
        const version = flags.as === undefined ? {} : { version: flags.as };
        const body = { path: resolve(shell.cwd, path), ...kindOf(flags), ...version };
        const { id } = await client.call('kernelImport', { body });
        print(shell.stdout, id);
      }),
    );
  daemonCommand(
    kernel,
    'pull <ref>',
    'fetch a prebuilt kernel: HOST/NAME:TAG of a registry, or https://... with --digest',
  )
    .option('--guest <name>', 'what it boots as; default unikraft')
    .option('--arch <arch>', 'x86_64 or aarch64; default x86_64')
    .option('--digest <digest>', 'sha256:HEX that it must have')
    .option('--credentials <file>', "a file in the form of Docker's config.json; default: Docker's own")
    .action((ref: string, flags: KernelFlags & { digest?: string; credentials?: string }) =>
      withClient(shell, flags, async (client) => {
        const { digest, credentials } = flags;
        const body = {
          ...{ ref, ...kindOf(flags) },
          ...(digest === undefined ? {} : { digest }),
          ...(credentials === undefined ? {} : { credentials: resolve(shell.cwd, credentials) }),
        };
        const { id } = await client.call('kernelPull', { body });
        print(shell.stdout, id);
      }),
    );
  daemonCommand(kernel, 'inspect <id>', 'all that is known of a kernel, as JSON').action(
    (id: string, flags: HostOption) =>
      withClient(shell, flags, async (client) => {
        printJson(shell, await client.call('kernel', { params: { id } }));
      }),
  );
  daemonCommand(kernel, 'verify <id>', 'compute the digest again, and boot it to find its limits')
    .option('--json', 'print JSON')
    .action((id: string, flags: JsonFlags) =>
      withClient(shell, flags, async (client) => {
        const found = await client.call('kernelVerify', { params: { id } });
        if (flags.json === true) printJson(shell, found);
        else for (const line of [`${id} is intact`, ...limitLines(found.limits)]) print(shell.stdout, line);
      }),
    );
  daemonCommand(kernel, 'rm <ids...>', 'remove kernels').action((ids: string[], flags: HostOption) =>
    withClient(shell, flags, async (client) => {
      for (const id of ids) {
        await client.call('kernelRemove', { params: { id } });
        print(shell.stdout, id);
      }
    }),
  );

  const providers = (flags: JsonFlags): Promise<void> =>
    withClient(shell, flags, async (client) => {
      const all = await client.call('providers', {});
      const cells = all.map((p) => [
        p.default ? `${p.name} *` : p.name,
        p.healthy ? 'yes' : 'no',
        p.accelerator ?? '-',
        p.networks.join(','),
        p.summary,
      ]);
      show(flags, all, ['NAME', 'HEALTHY', 'ACCELERATOR', 'NETWORKS', 'SUMMARY'], cells);
    });
  const provider = program.command('provider').description('where machines run');
  daemonCommand(provider, 'ls', 'list providers').option('--json', 'print JSON').action(providers);
  daemonCommand(provider, 'policy <name>', 'print the least that a cell needs of a provider').action(
    (name: string, flags: HostOption) =>
      withClient(shell, flags, async (client) => {
        printJson(shell, (await client.call('providerPolicy', { params: { name } })).policy);
      }),
  );
  daemonCommand(program, 'providers', 'list providers, as UniK wrote it')
    .option('--json', 'print JSON')
    .action(providers);

  daemonCommand(program, 'guests', 'list the kinds of unikernel and what they run on')
    .option('--json', 'print JSON')
    .action((flags: JsonFlags) =>
      withClient(shell, flags, async (client) => {
        const all = await client.call('guests', {});
        const mark = (can: boolean): string => (can ? 'yes' : 'no');
        const cells = all.map((g) => [
          g.name,
          g.providers.join(','),
          mark(g.signals),
          mark(g.exit_status),
          mark(g.stderr_apart),
          mark(g.fork),
          String(g.max_cpus),
        ]);
        show(flags, all, ['NAME', 'PROVIDERS', 'SIGNALS', 'EXIT STATUS', 'STDERR APART', 'FORK', 'CPUS'], cells);
      }),
    );

  function show(flags: JsonFlags, all: unknown, header: string[], cells: string[][]): void {
    if (flags.json === true) printJson(shell, all);
    else print(shell.stdout, table(header, cells));
  }
}

function kindOf({ guest, arch }: KernelFlags): { guest?: GuestName; arch?: 'x86_64' | 'aarch64' } {
  const name = buildGuests.find((known) => known === guest);
  if (guest !== undefined && !name) throw usage(`--guest ${guest}: there are ${buildGuests.join(', ')}`);
  if (arch !== undefined && arch !== 'x86_64' && arch !== 'aarch64') throw usage(`--arch ${arch}: x86_64 or aarch64`);
  return { ...(name ? { guest: name } : {}), ...(arch === undefined ? {} : { arch }) };
}

/** What booting a kernel showed, for people. */
function limitLines(limits: ReplyOf<'kernelVerify'>['limits']): string[] {
  if (!limits) return [];
  if (!limits.boots) return ['it does not boot our test program'];
  const count = (of: { count: number; atLeast: boolean }): string => `${of.atLeast ? 'at least ' : ''}${of.count}`;
  const lines = ['it boots our test program'];
  if (limits.variables) lines.push(`variables that arrive by its own channel: ${count(limits.variables)}`);
  if (limits.arguments) lines.push(`words of its command line: ${count(limits.arguments)}`);
  if (limits.connections !== undefined) lines.push(`TCP connections, by its settings: ${limits.connections}`);
  if (limits.launcher !== undefined) {
    lines.push(
      limits.launcher
        ? 'our launcher runs: any number of variables arrives, and the end of an application is told'
        : 'our launcher does not run: applications with more variables are refused',
    );
  }
  if (limits.writev === false) lines.push('it loses output that is written in pieces: do not use it');
  return lines;
}

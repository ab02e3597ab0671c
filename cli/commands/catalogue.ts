import type { Command } from 'commander';
import { resolve } from 'node:path';
import { table } from '../render.js';
import { print, printJson, type Shell } from '../shell.js';
import { daemonCommand, withClient, type HostOption } from './common.js';

type JsonFlags = HostOption & { json?: boolean };

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
  daemonCommand(kernel, 'import <dir>', 'take an unpacked Linux kernel package').action(
    (dir: string, flags: HostOption) =>
      withClient(shell, flags, async (client) => {
        const { id } = await client.call('kernelImport', { body: { path: resolve(shell.cwd, dir) } });
        print(shell.stdout, id);
      }),
  );
  daemonCommand(kernel, 'verify <id>', 'compute the digest again').action((id: string, flags: HostOption) =>
    withClient(shell, flags, async (client) => {
      await client.call('kernelVerify', { params: { id } });
      print(shell.stdout, `${id} is intact`);
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

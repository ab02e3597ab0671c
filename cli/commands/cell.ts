import type { Command } from 'commander';
import { resolve } from 'node:path';
import { parseDuration } from '../../core/duration.js';
import { print, type Shell } from '../shell.js';

const CONFIG = ['--config <file>', 'JSON; manifests/cell.example.json shows every key'] as const;

export function addCell(program: Command, shell: Shell): void {
  const at = (file: string): string => resolve(shell.cwd, file);
  const say = (line: string): void => print(shell.stdout, line);
  const cell = program
    .command('cell')
    .description('a cell of a Diego: Cloud Foundry places unikernels here')
    .action(() => cell.help({ error: true }));
  cell
    .command('serve', { isDefault: true })
    .description('serve until SIGTERM, which leaves the machines running')
    .requiredOption(...CONFIG)
    .action(({ config }: { config: string }) => shell.local.runCell(at(config), say));
  cell
    .command('prepare')
    .description('take in the shipped kernels and say what machines will run on; nothing is started')
    .requiredOption(...CONFIG)
    .action(({ config }: { config: string }) => shell.local.prepareCell(at(config), say));
  cell
    .command('wait')
    .description('wait until the cell serves')
    .requiredOption(...CONFIG)
    .option('--timeout <duration>', 'how long', '60s')
    .action(({ config, timeout }: { config: string; timeout: string }) =>
      shell.local.awaitCell(at(config), parseDuration(timeout)),
    );
  cell
    .command('drain')
    .description('move all instances to other cells; ends when the cell has ended')
    .requiredOption(...CONFIG)
    .action(({ config }: { config: string }) => shell.local.drainCell(at(config), say));
}

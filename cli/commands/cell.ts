import type { Command } from 'commander';
import { resolve } from 'node:path';
import { print, type Shell } from '../shell.js';

export function addCell(program: Command, shell: Shell): void {
  program
    .command('cell')
    .description('serve as a cell of a Diego: Cloud Foundry places unikernels here')
    .requiredOption('--config <file>', 'JSON; manifests/cell.example.json shows every key')
    .action(async ({ config }: { config: string }) => {
      await shell.local.runCell(resolve(shell.cwd, config), (line) => print(shell.stdout, line));
    });
}

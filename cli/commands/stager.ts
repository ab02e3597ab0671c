import type { Command } from 'commander';
import { resolve } from 'node:path';
import { print, type Shell } from '../shell.js';

export function addStager(program: Command, shell: Shell): void {
  program
    .command('stager')
    .description("serve Cloud Foundry's classic stager API: requests become staging tasks of a Diego")
    .requiredOption('--config <file>', 'JSON; docs/operating.md lists every key')
    .action(async ({ config }: { config: string }) => {
      await shell.local.runStager(resolve(shell.cwd, config), (line) => print(shell.stdout, line));
    });
  program
    .command('files')
    .description('serve the files of one folder by HTTPS: a lifecycle for Cloud Controller, the cf plug-in for people')
    .requiredOption('--config <file>', 'JSON; docs/operating.md lists every key')
    .action(async ({ config }: { config: string }) => {
      await shell.local.runFiles(resolve(shell.cwd, config), (line) => print(shell.stdout, line));
    });
}

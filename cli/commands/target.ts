import type { Command } from 'commander';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { homePaths } from '../../core/home.js';
import { writeJsonFile } from '../../core/json-file.js';
import { usage } from '../parse.js';
import { print, type Shell } from '../shell.js';
import { chooseTarget, normalizeHost } from '../target.js';
import type { TargetFile } from '../target-file.js';

interface Flags {
  host?: string;
  port?: string;
  caFile?: string;
  tokenFile?: string;
  reset?: boolean;
  show?: boolean;
}

export function addTarget(program: Command, shell: Shell): void {
  program
    .command('target')
    .description('choose which daemon the other commands talk to')
    .option('--host <host>', 'HOST, https://HOST:PORT or unix:///PATH')
    .option('--port <port>', 'port of --host (default: 443)')
    .option('--ca-file <file>', 'PEM of the authority that signed its certificate')
    .option('--token-file <file>', 'file that holds the bearer token (or set UNIK_TOKEN)')
    .option('--reset', 'back to the daemon of this home')
    .option('--show', 'print the present one (the default)')
    .action(async (flags: Flags) => {
      const { home, cwd } = shell;
      if (flags.reset === true) await rm(homePaths(home).target, { force: true });
      else if (flags.host !== undefined) {
        const host = flags.host.startsWith('unix://') ? flags.host : normalizeHost(flags.host, flags.port);
        const stored: TargetFile = {
          host,
          ...(flags.caFile !== undefined ? { ca_file: resolve(cwd, flags.caFile) } : {}),
          ...(flags.tokenFile !== undefined ? { token_file: resolve(cwd, flags.tokenFile) } : {}),
        };
        await writeJsonFile(homePaths(home).target, stored);
      } else if (flags.port !== undefined || flags.caFile !== undefined || flags.tokenFile !== undefined) {
        throw usage('give --host too');
      }
      const { target } = await chooseTarget(undefined, shell.env, home);
      print(shell.stdout, target.kind === 'unix' ? `unix://${target.path}` : target.url);
    });
}

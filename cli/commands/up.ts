import type { Command } from 'commander';
import { join, resolve } from 'node:path';
import { UnikError } from '../../core/errors.js';
import { print, printJson, type Shell, type Up } from '../shell.js';

interface Flags {
  cells?: string;
  config?: string;
  defaultStack?: string;
  json?: boolean;
}

export function addUp(program: Command, shell: Shell): void {
  program
    .command('up')
    .description('serve a whole Cloud Foundry on this machine, for the unmodified cf command')
    .option('--cells <n>', 'how many cells')
    .option('--config <file>', 'JSON; docs/operating.md lists every key')
    .option('--default-stack <name>', 'of apps that name none: `unik` makes every push a machine')
    .option('--json', 'print addresses and credentials as JSON')
    .action(async ({ cells, config, defaultStack, json }: Flags) => {
      // A person who looks at a terminal has other things to read there.
      const log_file = shell.stderr.isTTY === true ? join(shell.home, 'cf/localcf.log') : undefined;
      await shell.local.runUp({
        home: shell.home,
        self: shell.self,
        env: shell.env,
        ...(config === undefined ? {} : { config: resolve(shell.cwd, config) }),
        ...(cells === undefined ? {} : { cells: countOf(cells) }),
        ...(defaultStack === undefined ? {} : { default_stack: defaultStack }),
        ...(log_file === undefined ? {} : { log_file }),
        onReady: (up) => {
          if (json === true) printJson(shell, up);
          else for (const line of nextSteps(up, log_file)) print(shell.stdout, line);
          shell.tellParent({ ready: up.api_url });
        },
      });
    });
}

function countOf(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count <= 16) return count;
  throw new UnikError('usage', `--cells ${text} is no number from 0 to 16`);
}

/** What to type, ready to be pasted. */
export function nextSteps({ api_url, router_url, admin, apps_domain }: Up, log_file?: string): string[] {
  // Empty where it is HTTP's own.
  const { port } = new URL(router_url);
  return [
    '',
    `  Cloud Foundry serves at ${api_url} (a browser shows what runs). In another terminal:`,
    '',
    `    cf api ${api_url}`,
    `    cf login -u ${admin.username}          # password: ${admin.password}`,
    '    cf install-plugin -f dist/cf-unik-plugin',
    '    cf push hello --no-start -p samples/hello',
    '    cf enable-unik hello',
    '    cf start hello',
    `    curl http://hello.${apps_domain}${port && `:${port}`}`,
    '    cf scale hello -i 3',
    '    cf logs hello --recent',
    '    bin/unik ps --cells          # the machines; `bin/unik rm ID` kills one, and another comes',
    '    cf delete -r -f hello',
    '',
    '  Without the plugin: cf push hello -s unik -p samples/hello',
    '  Ctrl-C stops all of it; what was pushed runs again at the next start.',
    ...(log_file === undefined ? [] : [`  The platform's own log: ${log_file}`]),
    '',
  ];
}

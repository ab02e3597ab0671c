import { realpathSync } from 'node:fs';
import { UnikError } from '../../core/errors.js';
import { addHostFile, addHostFileAt } from '../../executor/images/host-files.js';
import type { Arch } from '../../executor/model.js';
import { readPackageJson } from '../package-json.js';
import { programIn } from '../runtime-root.js';
import type { SourceTree } from '../source.js';
import { movableRuntime } from './movable.js';
import { outsideBuiltins } from './node-builtins.js';
import type { BuildContext, Toolchain } from './toolchain.js';

const INTERPRETER = '/usr/local/bin/node';
const MAIN_FILES = ['server.js', 'app.js', 'index.js', 'main.js', 'server.mjs', 'index.mjs'];
/** Node.js's names: packages that come as one for each processor are chosen by them, and prebuilt modules fetched. */
const CPU: Record<Arch, string> = { x86_64: 'x64', aarch64: 'arm64' };
const LOCKS = ['package-lock.json', 'npm-shrinkwrap.json'];

/** Node.js: the application, its modules, and the `node` of this host. */
export const nodeToolchain: Toolchain = {
  name: 'node',
  runtime: 'Node.js',
  foreign: ['nodejs'],
  programs: ['node', 'nodejs', 'npm', 'npx', 'yarn', 'pnpm'],
  // A package.json without anything to start belongs to a static site's tools.
  detect: (source) => {
    const start = startCommand(source);
    return start === undefined ? undefined : source.kind('package.json') === 'file' ? 'package.json' : start.file;
  },

  async build(context) {
    const { source, placed, progress, commands, root } = context;
    const node = root === '' ? ownNode(context) : programIn(root, 'node');
    progress(root === '' ? `Node.js ${await versionOf(node, context)} (${node})` : `Node.js of ${root} (${node})`);
    const start = startCommand(source);
    if (start === undefined && commands === undefined) {
      throw new UnikError('command_missing', 'package.json has neither a "start" script nor a "main" file');
    }
    const app = await withModules(context);
    const there = root === '' ? placed(node) : undefined;
    const interpreter = there ?? INTERPRETER;
    return {
      ...(app === undefined ? {} : { app }),
      commands: start === undefined ? {} : { web: start.command },
      programs: { node: [interpreter], nodejs: [interpreter] },
      path: ['node_modules/.bin'],
      elf: [root + node],
      env: { NODE_ENV: 'production' },
      ignore: ['node_modules/.cache'],
      add: async (tree) => {
        if (there !== undefined) return;
        addHostFileAt(tree, root + node, INTERPRETER);
        for (const path of outsideBuiltins(node, context.arch, root)) addHostFile(tree, path, root);
      },
    };
  },
};

function ownNode(context: BuildContext): string {
  const first = context.which('node') ?? context.node;
  return movableRuntime(context, first, ['node', 'nodejs'].flatMap(context.whichAll));
}

async function versionOf(node: string, { node: own, tool }: BuildContext): Promise<string> {
  // It is this very program more often than not.
  if (realpathSync(node) === realpathSync(own)) return process.version;
  return (await tool(node, ['--version'], { quiet: true })).trim();
}

function startCommand(source: SourceTree): { command: string; file: string } | undefined {
  const manifest = readPackageJson(source);
  if (manifest?.scripts?.['start'] !== undefined) return { command: 'npm start', file: 'package.json' };
  const main = [...(manifest?.main === undefined ? [] : [manifest.main]), ...MAIN_FILES].find(
    (file) => source.kind(file) === 'file',
  );
  return main === undefined ? undefined : { command: `node '${main.replaceAll("'", "'\\''")}'`, file: main };
}

/** Installs the locked modules into a copy when the application comes without them; gives the copy. */
async function withModules(context: BuildContext): Promise<string | undefined> {
  const { source, which, tool, progress, copy, root, arch } = context;
  const wanted = Object.keys(readPackageJson(source)?.dependencies ?? {}).length;
  if (wanted === 0) return undefined;
  if (source.kind('node_modules') === 'folder') {
    progress('Modules: node_modules as it is');
    return undefined;
  }
  const lock = LOCKS.find((name) => source.kind(name) === 'file');
  if (lock === undefined) {
    throw new UnikError(
      'toolchain_failed',
      'package.json has dependencies, but there is neither node_modules nor package-lock.json: run `npm install` first',
    );
  }
  const npm = which('npm');
  if (npm === undefined) throw new UnikError('toolchain_missing', 'node_modules is missing and npm is not installed');
  progress(`Modules: npm ci --omit=dev by ${lock}`);
  const app = await copy();
  const args = ['ci', '--omit=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  if (root === '') await tool(npm, args, { cwd: app });
  else
    await tool(npm, [...args, `--cpu=${CPU[arch]}`, '--os=linux'], { cwd: app, env: { npm_config_arch: CPU[arch] } });
  return app;
}

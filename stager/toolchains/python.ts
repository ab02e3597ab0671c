import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, UnikError } from '../../core/errors.js';
import { APP_DIR } from '../../executor/images/base.js';
import { addHostFile, addHostFolder } from '../../executor/images/host-files.js';
import type { ImageFinding } from '../../executor/images/image.js';
import type { SourceTree } from '../source.js';
import { isMovable } from './movable.js';
import { settleBytecode } from './python-bytecode.js';
import { foreignInterpreter, interpreterSchema, wheelsFor, type Interpreter } from './python-foreign.js';
import type { BuildContext, Toolchain } from './toolchain.js';

/** Where the requirements are installed, inside the application. */
const PACKAGES = '.python_packages';
const MAIN_FILES = ['app.py', 'main.py', 'server.py'];
const MARKS = ['requirements.txt', 'pyproject.toml', ...MAIN_FILES];
/** Parts of the standard library that no server uses: tests, editors, windows, installers. */
const NOT_NEEDED =
  /^(test|idlelib|tkinter|turtledemo|turtle\.py|ensurepip|pydoc_data|config-[^/]*|site-packages|dist-packages)$|(^|\/)(tests?|idle_test)$|\.opt-\d\.pyc$/;

const DESCRIBE = `
import json, os, sys, sysconfig
base = getattr(sys, '_base_executable', None) or sys.executable
print(json.dumps({
  'version': sys.version.split()[0], 'executable': base, 'stdlib': sysconfig.get_path('stdlib'),
  'extensions': sysconfig.get_config_var('DESTSHARED') or os.path.join(sysconfig.get_path('platstdlib'), 'lib-dynload'),
  'cacheTag': sys.implementation.cache_tag}))
`;

/** Python 3: the interpreter of this host, its standard library, and the requirements vendored beside the application. */
export const pythonToolchain: Toolchain = {
  name: 'python',
  runtime: 'Python 3',
  foreign: ['python3-minimal', 'libpython3-stdlib'],
  programs: ['python', 'python3', 'gunicorn', 'uvicorn', 'flask', 'waitress-serve', 'hypercorn', 'daphne', 'celery'],
  detect: (source) => MARKS.find((name) => source.kind(name) === 'file'),

  async build(context) {
    const { source, progress, root } = context;
    const requirements = requirementsOf(source);
    const { command, ...own } = await findInterpreter(context, requirements !== undefined);
    const interpreter = root === '' ? own : foreignInterpreter(root);
    const there = root === '' ? context.placed(interpreter.executable) : undefined;
    progress(`Python ${interpreter.version}${root === '' ? '' : ` of ${root}`} (${interpreter.executable})`);

    const app = await context.copy();
    const findings: ImageFinding[] = [];
    // The buildpack that supplied the interpreter has installed the requirements beside it.
    if (requirements && there === undefined) {
      await vendor(context, command, app, [
        ...(root === '' ? [] : wheelsFor(interpreter, context.arch)),
        ...requirements,
      ]);
    }
    // Bytecode is the same on any processor, and another with each version.
    if (own.cacheTag === interpreter.cacheTag) await compile(context, command, app, findings);

    const main = MAIN_FILES.find((name) => source.kind(name) === 'file');
    const [major, minor] = interpreter.version.split('.');
    const program = [there ?? interpreter.executable];
    return {
      app,
      commands: main === undefined ? {} : { web: `python3 ${main}` },
      programs: { python: program, python3: program, [`python${major}.${minor}`]: program },
      path: [`${PACKAGES}/bin`],
      elf: [root + interpreter.executable],
      modules: extensionsIn(root + interpreter.extensions),
      env: {
        PYTHONUNBUFFERED: '1',
        PYTHONDONTWRITEBYTECODE: '1',
        PYTHONPATH: `${APP_DIR}/${PACKAGES}:${APP_DIR}`,
      },
      ignore: ['.venv/', 'venv/', '.pytest_cache/', '.mypy_cache/'],
      findings,
      async add(tree) {
        if (there !== undefined) return;
        addHostFile(tree, interpreter.executable, root);
        const skip = (path: string): boolean => NOT_NEEDED.test(path);
        const stdlib = await addHostFolder(tree, interpreter.stdlib, { skip, root });
        settleBytecode(stdlib, interpreter.cacheTag);
        // Debian keeps a hook of its site module here.
        for (const [name, entry] of stdlib.children) {
          if (entry.kind === 'symlink' && entry.target.toString().startsWith('/')) {
            addHostFile(tree, join(interpreter.stdlib, name), root);
          }
        }
      },
    };
  },
};

/** What pip is asked for; undefined when there is nothing to install. */
function requirementsOf(source: SourceTree): string[] | undefined {
  const text = source.read('requirements.txt');
  if (text !== undefined) {
    const lines = text.split('\n').filter((line) => /^\s*[^#\s]/.test(line));
    return lines.length > 0 ? ['-r', 'requirements.txt'] : undefined;
  }
  return /^\s*dependencies\s*=/m.test(source.read('pyproject.toml') ?? '') ? ['.'] : undefined;
}

/** The distribution's own interpreter before any other, as long as it can do what is needed. */
async function findInterpreter(
  { whichAll, placed, tool, positionIndependent, progress }: BuildContext,
  needsPip: boolean,
): Promise<Interpreter & { command: string }> {
  const named = ['/usr/bin/python3', 'python3', 'python'].flatMap(whichAll);
  const supplied = named.filter((path) => placed(path) !== undefined);
  const candidates = [...supplied, ...named];
  let withoutPip: string | undefined;
  /** Suits but for its address. */
  let fixed: (Interpreter & { command: string }) | undefined;
  for (const command of new Set(candidates)) {
    const interpreter = interpreterSchema.parse(
      JSON.parse(await tool(command, ['-I', '-c', DESCRIBE], { quiet: true })),
    );
    const hasPip = await tool(command, ['-m', 'pip', '--version'], { quiet: true }).then(
      () => true,
      () => false,
    );
    const suits = hasPip || !needsPip || supplied.includes(command);
    if (!suits) withoutPip ??= command;
    else if (positionIndependent && !isMovable(interpreter.executable)) fixed ??= { ...interpreter, command };
    else {
      if (fixed)
        progress(`${fixed.executable} is built for a fixed address, which the guest cannot load: another is used`);
      return { ...interpreter, command };
    }
  }
  // The suitability check says what is wrong with it.
  if (fixed) return fixed;
  throw new UnikError(
    'toolchain_missing',
    withoutPip === undefined
      ? 'the application needs python3, which is not installed'
      : `the requirements need pip, which ${withoutPip} does not have: install python3-pip`,
  );
}

async function vendor(context: BuildContext, python: string, app: string, requirements: string[]): Promise<void> {
  const { source, tool, progress } = context;
  const offline = source.kind('vendor') === 'folder';
  progress(`Requirements: pip install ${requirements.join(' ')}${offline ? ' from vendor' : ''}`);
  const options = ['--target', PACKAGES, '--no-compile', '--no-input', '--no-warn-script-location'];
  const quiet = ['--quiet', '--disable-pip-version-check', '--root-user-action=ignore'];
  const from = offline ? ['--no-index', '--find-links', 'vendor'] : [];
  await tool(python, ['-m', 'pip', 'install', ...options, ...quiet, ...from, ...requirements], { cwd: app });
  const names = readdirSync(join(app, PACKAGES)).filter((name) => name.endsWith('.dist-info'));
  progress(`Requirements: ${names.map((name) => name.replace('.dist-info', '').replace('-', ' ')).join(', ')}`);
}

/** Bytecode that does not depend on times, made once here instead of at each start. */
async function compile(context: BuildContext, python: string, app: string, findings: ImageFinding[]): Promise<void> {
  const args = ['-m', 'compileall', '-q', '-f', '--invalidation-mode', 'unchecked-hash', '-s', app, '-p', APP_DIR, app];
  try {
    await context.tool(python, args, { quiet: true, env: { PYTHONHASHSEED: '0' } });
  } catch (err) {
    // Packages carry files for other versions of the language; the application's own show when they are imported.
    if (!(err instanceof UnikError)) throw err;
    findings.push({
      level: 'info',
      code: 'bytecode_incomplete',
      message: `some files have no bytecode: ${messageOf(err).split('\n')[0] ?? ''}`,
    });
  }
}

function extensionsIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.so'))
      .map((name) => join(folder, name));
  } catch {
    // Built into the interpreter: then there is no such folder.
    return [];
  }
}

/**
 * Makes a fresh machine ready: npm packages, Debian packages, the guest's kernel and init, the bundle. Each only when
 * missing, each with a progress line. Node built-ins only, because it runs before anything is installed.
 * As an ordinary user who cannot sudo it prints the one command to run and ends with code 1.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Tools of the system live in sbin folders that an ordinary user's PATH often lacks. */
export function widenPath() {
  const have = (process.env.PATH ?? '').split(delimiter);
  process.env.PATH = [...have, ...['/usr/local/sbin', '/usr/sbin', '/sbin'].filter((d) => !have.includes(d))].join(
    delimiter,
  );
}

/**
 * @param {{ test?: boolean, interop?: boolean, bench?: boolean, arm?: boolean }} options also what only the tests, the interop
 * tests, benchmarks or boards need.
 */
export async function setup(options = {}) {
  widenPath();
  checkNode();
  installNpmPackages();
  const more = ['test', 'interop', 'arm', 'bench'].filter((list) => options[list]);
  installDebianPackages(['run', ...more]);
  const guest = await import('./guest-init.mjs');
  await guest.unpackKernel(root, say);
  await guest.buildInit(root, say);
  if (options.arm || options.interop) await guest.foreignParts(root, say, 'arm64');
  const { build } = await import('./build.mjs');
  await build();
}

export function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}

export function fail(line) {
  process.stderr.write(`setup: ${line}\n`);
  process.exit(1);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    fail(`Node ${process.versions.node} is too old: install Node 20.19 or newer.`);
}

function installNpmPackages() {
  // A link leads to another checkout's packages, which npm would take away from it.
  if (lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink()) return;
  const stamp = join(root, 'node_modules', '.unik-lock');
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  say('installing npm packages (about half a minute)');
  const done = spawnSync('npm', ['ci', '--no-progress', '--loglevel=error'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (done.status !== 0) fail('npm ci failed; its lines above name the cause.');
  writeFileSync(stamp, lock);
}

export function installDebianPackages(lists) {
  const table = JSON.parse(readFileSync(join(root, 'scripts', 'packages.json'), 'utf8'));
  const wanted = lists.flatMap((list) => table[list]).filter((entry) => !isPresent(entry));
  if (wanted.length === 0) return;
  const names = wanted.map((entry) => entry.package);
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...names];
  if (!onPath('apt-get')) fail(`missing ${names.join(', ')}: install them with your system's package manager.`);
  const sudo = process.getuid?.() === 0 ? [] : canSudo() ? ['sudo', '-n'] : undefined;
  if (!sudo) {
    fail(`missing Debian packages. Run this once, then try again:\n\n  sudo ${install.join(' ')}\n`);
  }
  say(`installing Debian packages: ${names.join(' ')}`);
  const apt = (args) =>
    spawnSync(sudo[0] ?? args[0], [...sudo.slice(1), ...(sudo.length ? args : args.slice(1))], {
      encoding: 'utf8',
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  const lockWait = ['-o', 'DPkg::Lock::Timeout=300'];
  let done = apt([...install, ...lockWait, '-qq']);
  if (done.status !== 0) {
    say('updating the package lists');
    apt(['apt-get', 'update', '-qq', ...lockWait]);
    done = apt([...install, ...lockWait, '-qq']);
  }
  if (done.status !== 0)
    fail(`apt-get failed:\n${`${done.stdout}${done.stderr}`.trim().split('\n').slice(-8).join('\n')}`);
}

function isPresent(entry) {
  return (
    (entry.programs ?? []).every(onPath) &&
    (entry.files ?? []).every((file) => existsSync(file)) &&
    (entry.modules ?? []).every((name) => spawnSync('python3', ['-c', `import ${name}`]).status === 0)
  );
}

export function onPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function canSudo() {
  return onPath('sudo') && spawnSync('sudo', ['-n', 'true']).status === 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  mkdirSync(join(root, '.assets'), { recursive: true });
  await setup({ test: process.argv.includes('--test'), arm: process.argv.includes('--arm') });
  say('ready');
}

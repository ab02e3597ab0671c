/**
 * Finds or builds the real programs that the interop tests talk to, and writes what came of it to .assets/peers.json:
 * for each name a path, or why there is none. In this order: a program of that name in the folder $UNIK_INTEROP_PEERS
 * names, then what Debian installed, then a build of a pinned Go module (test/interop/peers/SET/go.mod), pinned
 * packages of PyPI or a package of Debian that is unpacked and not installed.
 * A build is kept under $UNIK_INTEROP_CACHE, else in the user's cache folder, by a digest of all that went into it.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, cpSync, existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { chmodSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './setup.mjs';

const TABLE = join(root, '.assets', 'peers.json');
const SETS = join(root, 'test/interop/peers');
/** What a `go.mod` asks for is enough, unless no Go of this machine has it: then this one is brought. */
const TOOLCHAIN = '1.26.8';
const BUILD_MS = 15 * 60_000;

const notOffered = 'the Go module proxy does not offer it (test/interop/peers/README.md)';
/** @type {Record<string, {set?: string, module?: string, pip?: string[], debian?: string, program?: string, system?: () => string | undefined, why?: string}>} */
export const PEERS = {
  postgres: { system: debianPostgres, why: "install Debian's package postgresql" },
  'nats-server': { set: 'nats', module: 'github.com/nats-io/nats-server/v2' },
  moto: { pip: ['moto[ec2]==5.2.4', 'flask==3.1.2', 'flask-cors==6.0.1'], program: 'moto_server' },
  // Debian's packages of these begin as services of the host when they are installed; this is the same code.
  'openstack-services': { pip: ['keystone==30.0.0', 'glance==33.0.0'], program: 'keystone-manage' },
  openstack: { pip: ['python-openstackclient==7.4.0'], program: 'openstack' },
  vcsim: { set: 'vsphere', module: 'github.com/vmware/govmomi/vcsim' },
  docker: { system: () => onPath('docker'), why: "install Debian's package docker.io, for its client" },
  bbs: { why: notOffered },
  locket: { why: notOffered },
  auctioneer: { why: notOffered },
  'route-emitter': { why: notOffered },
  'vizzini.test': { why: notOffered },
  'lifecycle-builder': { why: notOffered },
  grace: { why: notOffered },
  cfdot: { why: notOffered },
  gorouter: { why: notOffered },
  'forwarder-agent': { why: notOffered },
  'syslog-agent': { why: notOffered },
  'log-cache': { why: notOffered },
  'log-cache-gateway': { why: notOffered },
  'log-cache-syslog-server': { why: notOffered },
  cf: { system: () => onPath('cf'), why: notOffered },
  cf9: { why: notOffered },
  'cf-smoke-tests.test': { why: notOffered },
  'cats-apps.test': { why: notOffered },
  bosh: { system: () => onPath('bosh'), why: notOffered },
  'bosh-erb': { set: 'bosh-erb', module: '.' },
  monit: { system: () => onPath('monit'), debian: 'monit', program: 'usr/bin/monit' },
};

/** Looks for every peer, or for those named; entries of others stay as they are. */
export function findPeers(names = Object.keys(PEERS)) {
  const table = existsSync(TABLE) ? JSON.parse(readFileSync(TABLE, 'utf8')) : {};
  for (const name of names) table[name] = find(name);
  mkdirSync(join(root, '.assets'), { recursive: true });
  writeFileSync(`${TABLE}.new`, `${JSON.stringify(table, null, 2)}\n`);
  renameSync(`${TABLE}.new`, TABLE);
  for (const name of names)
    say(table[name].path ? `${name}: ${table[name].path}` : `${name}: none; ${table[name].why}`);
  return table;
}

function find(name) {
  const { set, module, pip, debian, program, system, why } = PEERS[name];
  const given = process.env.UNIK_INTEROP_PEERS && resolve(process.env.UNIK_INTEROP_PEERS, name);
  if (given && isProgram(given)) return { path: given };
  const present = system?.();
  if (present) return { path: present };
  if (!set && !pip && !debian) return { why };
  try {
    if (debian) return { path: unpacked(debian, program) };
    return { path: pip ? installed(name, pip, program) : build(set, name, module) };
  } catch (err) {
    return { why: `build failed: ${err.message}` };
  }
}

/** Builds one program of a consumer module, once; returns its path. */
function build(set, name, module) {
  const dir = join(SETS, set);
  const text = readFileSync(join(dir, 'go.mod'), 'utf8');
  const wanted = /^go (\d+\.\d+)/m.exec(text)?.[1] ?? '1.18';
  const go = findGo(wanted) ?? bringGo();
  const version = goVersion(go);
  // A set without go.sum pins no more than versions; the checksum database vouches for their content.
  const pinned = existsSync(join(dir, 'go.sum'));
  // tools.go says nothing that go.mod does not.
  const files = readdirSync(dir)
    .filter((file) => file !== 'tools.go')
    .sort();
  const parts = [...files.map((file) => readFileSync(join(dir, file), 'utf8')), module, version, process.arch];
  const digest = createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 16);
  const path = join(cacheFolder(), digest, name);
  if (isProgram(path)) return path;
  say(`building ${name} of set ${set} with go ${version} (once, some minutes)`);
  return intoCache(path, (file) => {
    const cwd = `${file}-sources`;
    cpSync(dir, cwd, { recursive: true });
    // The wanted toolchain is there, and a go.mod that differs from what was pinned is an error.
    const mode = pinned ? 'readonly' : 'mod';
    const env = { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: `-mod=${mode} -buildvcs=false`, CGO_ENABLED: '0' };
    exec('nice', ['-n', '10', go, 'build', '-trimpath', '-p', '2', '-o', file, module], { cwd, env });
  });
}

/** A program of a Debian package that would start a service if it were installed: unpacked, once. */
function unpacked(name, program) {
  const folder = join(cacheFolder(), 'debian', name);
  if (isProgram(join(folder, program))) return join(folder, program);
  say(`downloading Debian's package ${name}`);
  // apt's own user must be able to write there when we are root.
  const work = mkdtempSync(join(tmpdir(), 'unik-peer-'));
  try {
    chmodSync(work, 0o777);
    exec('apt-get', ['download', '-q', name], { cwd: work });
    const [archive] = readdirSync(work);
    intoCache(folder, (made) => exec('dpkg-deb', ['-x', join(work, archive), made], {}));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  if (!isProgram(join(folder, program))) throw new Error(`package ${name} has no ${program}`);
  return join(folder, program);
}

/** Packages of PyPI in an environment of their own. It knows its place, so it is made there and marked when whole. */
function installed(name, packages, program) {
  const python = exec('python3', ['-c', 'import sys; print(sys.executable, sys.version)'], {}).trim();
  const digest = createHash('sha256')
    .update([...packages, python].join('\0'))
    .digest('hex')
    .slice(0, 16);
  const folder = join(cacheFolder(), digest);
  const path = join(folder, 'bin', program);
  if (existsSync(join(folder, 'complete')) && isProgram(path)) return path;
  say(`installing ${packages[0]} of PyPI (once, about a minute)`);
  rmSync(folder, { recursive: true, force: true });
  exec('python3', ['-m', 'venv', folder], {});
  exec(join(folder, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', ...packages], {});
  writeFileSync(join(folder, 'complete'), name);
  return path;
}

/** A `go` of this machine with at least this version. */
function findGo(wanted) {
  const [, minor = 0] = wanted.split('.').map(Number);
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/go/bin'];
  return folders
    .map((folder) => join(folder, 'go'))
    .filter(isProgram)
    .find((go) => Number(goVersion(go).split('.')[1]) >= minor);
}

function goVersion(go) {
  return (
    /go version go(\S+)/.exec(exec(go, ['version'], { env: { ...process.env, GOTOOLCHAIN: 'local' } }))?.[1] ?? '0.0'
  );
}

/** Debian's Go is old, but old enough: toolchains are modules too, and it can download those. */
function bringGo() {
  const path = join(cacheFolder(), `go${TOOLCHAIN}`);
  const go = join(path, 'bin', 'go');
  if (isProgram(go)) return go;
  const old = findGo('1.0');
  if (!old) throw new Error("no Go: install Debian's package golang-go");
  say(`bringing Go ${TOOLCHAIN} (about 70 MB, once)`);
  const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const scratch = mkdtempSync(join(cacheFolder(), 'scratch-'));
  try {
    writeFileSync(join(scratch, 'go.mod'), 'module scratch\n');
    const module = `golang.org/toolchain@v0.0.1-go${TOOLCHAIN}.linux-${arch}`;
    const env = { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '' };
    const { Dir } = JSON.parse(exec(old, ['mod', 'download', '-json', module], { cwd: scratch, env }));
    intoCache(path, (folder) => {
      cpSync(Dir, folder, { recursive: true });
      exec('chmod', ['-R', 'u+w', folder], {});
      // A module's files are not executable; newer Go mends this for toolchains, older does not.
      for (const sub of ['bin', `pkg/tool/linux_${arch}`])
        for (const file of readdirSync(join(folder, sub))) chmodSync(join(folder, sub, file), 0o755);
    });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return go;
}

/** Makes `path` under another name, then renames it: another run sees all of it or nothing. */
function intoCache(path, make) {
  const folder = mkdtempSync(join(cacheFolder(), 'scratch-'));
  try {
    make(join(folder, 'made'));
    mkdirSync(join(path, '..'), { recursive: true });
    if (!existsSync(path)) renameSync(join(folder, 'made'), path);
    return path;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function cacheFolder() {
  const folder =
    process.env.UNIK_INTEROP_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'unik/peers');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Debian keeps the server's programs off PATH, one folder for each version. The folder's `postgres`. */
function debianPostgres() {
  const base = '/usr/lib/postgresql';
  const versions = existsSync(base) ? readdirSync(base).map(Number) : [];
  return versions
    .sort((a, b) => b - a)
    .map((version) => join(base, String(version), 'bin', 'postgres'))
    .find(isProgram);
}

function onPath(name) {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find(isProgram);
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function exec(file, args, options) {
  const done = spawnSync(file, args, { encoding: 'utf8', timeout: BUILD_MS, maxBuffer: 64 << 20, ...options });
  if (done.error) throw done.error;
  if (done.status !== 0) throw new Error(`${file} ${args[0]}: ${done.stderr.trim().split('\n').slice(-3).join(' | ')}`);
  return done.stdout;
}

function say(line) {
  process.stderr.write(`peers: ${line}\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const unknown = process.argv.slice(2).filter((name) => !(name in PEERS));
  if (unknown.length > 0) {
    say(`no peer ${unknown.join(', ')}; there are: ${Object.keys(PEERS).join(', ')}`);
    process.exit(2);
  }
  findPeers(process.argv.length > 2 ? process.argv.slice(2) : undefined);
}

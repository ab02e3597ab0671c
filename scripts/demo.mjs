/**
 * `npm run demo`: the talk, typed into the real `cf` CLI against a Cloud Foundry of this machine, in a home of its own.
 * Each step is printed as typed, with what it said and how long it took. Nothing is left running. The last line is one
 * JSON object: {ok, cli: {name, version}, steps: [{typed, ms}], first_run_s, lines_typed}.
 * The CLI is $UNIK_INTEROP_PEERS/cf, else `cf` on PATH; without it: how to get it, and ok is false.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { root, setup } from './setup.mjs';

const COMMAND_MS = 600_000;
const PATIENCE_MS = 300_000;
const began = Date.now();
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => interrupted.abort());

const cf = findCf();
const result = { ok: false, cli: null, steps: [], first_run_s: null, lines_typed: null };
if (cf === undefined) {
  console.log(`There is no cf CLI on PATH. Get version 8 or newer, then run this again:

  Debian:  see "Installers and compressed binaries" at https://github.com/cloudfoundry/cli
  macOS:   brew install cloudfoundry/tap/cf-cli@8
`);
  finish();
} else {
  await demo();
}

async function demo() {
  await setup();
  for (const name of ['buildpack', 'lifecycle', 'cf-plugin']) await import(`./package-${name}.mjs`).then(pack);
  const home = mkdtempSync(join(tmpdir(), 'unik-demo-'));
  let up;
  try {
    const version = await run(cf, ['version'], home);
    result.cli = { name: 'cf', version: /version (\S+)/.exec(version)?.[1] ?? version.trim() };
    up = await startUp(home);
    await talk(up, home);
    result.ok = true;
  } catch (err) {
    console.log(`\nThe demo failed: ${err instanceof Error ? err.message : String(err)}`);
    if (up) console.log(`\nThe platform's last lines:\n${up.log().split('\n').slice(-15).join('\n')}`);
  } finally {
    if (up && !(await up.stop())) result.ok = false;
    const left = processesOf(home);
    for (const { pid, command } of left) {
      console.log(`left running, ended now: ${pid} ${command}`);
      process.kill(pid, 'SIGKILL');
      result.ok = false;
    }
    rmSync(home, { recursive: true, force: true });
  }
  finish();
}

function pack(module) {
  return (module.packageBuildpack ?? module.packageLifecycle ?? module.packageCfPlugin)();
}

/** What the audience sees. */
async function talk({ api_url, router_url, admin, apps_domain }, home) {
  const url = `http://hello.${apps_domain}:${new URL(router_url).port}`;
  const type = (line, options) => step(`cf ${line}`, () => run(cf, line.split(' '), home, options));
  await type(`api ${api_url}`);
  // The password is the platform's own, made for this run: the CLI takes it from its environment.
  await step(`cf login -u ${admin.username}`, () =>
    run(cf, ['auth'], home, { env: { CF_USERNAME: admin.username, CF_PASSWORD: admin.password } }).then(() =>
      run(cf, ['target', '-o', 'unik', '-s', 'dev'], home),
    ),
  );
  await type('install-plugin -f dist/cf-unik-plugin');
  await type('push hello --no-start -p samples/hello');
  await type('enable-unik hello');
  await type('start hello');
  await step(`curl ${url}`, () => ask(url, router_url).then(({ body }) => body));
  result.first_run_s = Math.round((Date.now() - began) / 100) / 10;
  // `npm start` in one terminal, these in another.
  result.lines_typed = result.steps.length + 1;

  await type('scale hello -i 3');
  const three = await step('three machines answer', () => instancesThat(url, router_url, (ids) => ids.size === 3));
  await type('unik-apps');
  await type('logs hello --recent', { show: tail(12), check: hasLines });
  const victim = [...three.ids][0];
  await step(`bin/unik rm ${victim}`, () => run(process.execPath, [join(root, 'dist/unik.mjs'), 'rm', victim], home));
  await step('another takes its place, and the others answer meanwhile', () =>
    instancesThat(url, router_url, (ids) => ids.size === 3 && !ids.has(victim), { victim, others: three.ids }),
  );
  await type('app hello');
  await type('delete -r -f hello');
  await step('nothing is left of it', () => gone(url, router_url, home));
}

async function step(typed, work) {
  console.log(`\n$ ${typed}`);
  const from = Date.now();
  const said = await work();
  const ms = Date.now() - from;
  result.steps.push({ typed, ms });
  const text = typeof said === 'string' ? said : said.text;
  if (text.trim() !== '') console.log(text.trimEnd());
  console.log(`  (${(ms / 1000).toFixed(1)} s)`);
  return said;
}

function tail(count) {
  return (text) => text.trimEnd().split('\n').slice(-count).join('\n');
}

/** Staging's, the kernel's and the app's own lines. */
function hasLines(text) {
  for (const source of ['STG', 'CELL', 'APP/PROC/WEB']) {
    if (!text.includes(`[${source}/`)) throw new Error(`cf logs has no line of ${source}`);
  }
}

/** Asks until the instances that answered lately are as wanted. `during`: the other machines must go on answering. */
async function instancesThat(url, router_url, fits, during) {
  const deadline = Date.now() + PATIENCE_MS;
  let seen = [];
  let answers = 0;
  let refused = 0;
  const others = new Set(during?.others ?? []);
  if (during) others.delete(during.victim);
  const heard = new Set();
  for (;;) {
    // A request that meets a dying machine may be cut off.
    const { status, body } = await ask(url, router_url, { anyStatus: true }).catch(() => ({ status: 0, body: '' }));
    const id = /<code>([^<]+)<\/code>/.exec(body)?.[1];
    if (status === 200 && id !== undefined) {
      answers += 1;
      heard.add(id);
      seen = [...seen, id].slice(-12);
    } else refused += 1;
    const ids = new Set(seen);
    if (fits(ids)) {
      const silent = [...others].filter((one) => !heard.has(one));
      if (silent.length > 0) throw new Error(`${silent.join(', ')} did not answer meanwhile`);
      const text = `${[...ids].join('\n')}\n${answers} answers${refused > 0 ? `, ${refused} requests met the dying one` : ''}`;
      return { ids, text };
    }
    if (Date.now() > deadline) throw new Error(`after ${PATIENCE_MS / 1000} s only ${[...ids].join(', ')} answered`);
    await pause(150);
  }
}

async function gone(url, router_url, home) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const { status } = await ask(url, router_url, { anyStatus: true });
    const machines = processesOf(home).filter(({ command }) => command.includes('qemu-system'));
    if (status === 404 && machines.length === 0) return 'no route, no machine';
    if (Date.now() > deadline) throw new Error(`the route answers ${status}, ${machines.length} machines run`);
    await pause(200);
  }
}

/** By the router's address: not every system knows names below `localhost`. */
async function ask(url, router_url, { anyStatus = false } = {}) {
  const { host } = new URL(url);
  const reply = await new Promise((done, failed) => {
    const request = get(router_url, { headers: { host }, agent: false, timeout: 30_000 }, (response) => {
      let body = '';
      response.on('data', (data) => (body += data));
      response.on('end', () => done({ status: response.statusCode, body }));
      response.on('error', failed);
    });
    request.on('timeout', () => request.destroy(new Error(`${url} did not answer within 30 s`)));
    request.on('error', failed);
  });
  if (!anyStatus && reply.status !== 200) throw new Error(`${url} answered ${reply.status}: ${reply.body.trim()}`);
  return reply;
}

/** `unik up` in a home of its own; resolves when it serves. */
async function startUp(home) {
  const child = spawn(process.execPath, ['--', join(root, 'dist/unik.mjs'), 'up', '--json'], {
    cwd: root,
    detached: true,
    env: { ...process.env, UNIK_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let log = '';
  child.stderr.on('data', (data) => (log = `${log}${data}`.slice(-100_000)));
  const closed = new Promise((done) => child.on('close', done));
  const stop = async () => {
    if (child.exitCode === null) child.kill('SIGTERM');
    return (await closed) === 0;
  };
  const serves = new Promise((done) => {
    child.stdout.on('data', (data) => {
      out += data;
      try {
        done(JSON.parse(out));
      } catch {
        // Not all of it is there yet.
      }
    });
  });
  let timer;
  const late = new Promise((done) => (timer = setTimeout(done, 120_000)));
  const ready = await Promise.race([serves, closed, late]);
  clearTimeout(timer);
  if (typeof ready !== 'object' || ready === null) {
    await stop();
    throw new Error(`unik up did not come up:\n${log.split('\n').slice(-5).join('\n')}`);
  }
  return { ...ready, stop, log: () => log };
}

async function run(file, args, home, { env = {}, show = (text) => text, check = () => undefined } = {}) {
  const child = spawn(file, args, {
    cwd: root,
    env: { ...process.env, UNIK_HOME: home, CF_HOME: home, CF_STARTUP_TIMEOUT: '15', CF_COLOR: 'false', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stdout.on('data', (data) => (said += data));
  child.stderr.on('data', (data) => (said += data));
  const end = () => child.kill('SIGKILL');
  interrupted.signal.addEventListener('abort', end);
  const timer = setTimeout(end, COMMAND_MS);
  const code = await new Promise((done, failed) => {
    child.on('error', failed);
    child.on('close', done);
  });
  clearTimeout(timer);
  interrupted.signal.removeEventListener('abort', end);
  if (code !== 0) throw new Error(`it ended with ${code ?? 'a signal'}:\n${said.trim()}`);
  check(said);
  return show(said);
}

async function pause(ms) {
  if (interrupted.signal.aborted) throw new Error('interrupted');
  await new Promise((done) => setTimeout(done, ms));
}

/** Every process that names our home. */
function processesOf(home) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return command.includes(home) ? [{ pid: Number(pid), command }] : [];
      } catch {
        // It ended while we looked.
        return [];
      }
    });
}

function findCf() {
  const folders = [process.env.UNIK_INTEROP_PEERS, ...(process.env.PATH ?? '').split(delimiter)].filter(Boolean);
  return folders.map((folder) => resolve(folder, 'cf')).find(existsSync);
}

function finish() {
  process.exitCode = result.ok ? 0 : 1;
  console.log(JSON.stringify(result));
}

/**
 * `npm run demo [-- --cf FILE] [--config FILE]`: the talk, typed into the real `cf` CLI against a Cloud Foundry of this
 * machine, in a home of its own. Each step is printed as typed, with what it said and how long it took. Nothing is left
 * running. The last line is one JSON object: {ok, cli: {name, version}, steps: [{typed, ms}], first_run_s, lines_typed}.
 * The CLI is FILE, else $UNIK_INTEROP_PEERS/cf, else `cf` on PATH; without it: how to get it, and ok is false.
 * `--config`: what `unik up` is given, as where to find a real BBS.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { root, setup } from './setup.mjs';
import { processesOf, talk } from './talk.mjs';

const COMMAND_MS = 600_000;
const UNIK = join(root, 'dist/unik.mjs');
const began = Date.now();
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => interrupted.abort());

const options = readOptions();
const cf = options.cf === undefined ? findCf() : resolve(options.cf);
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
    await talk({
      ...{ up, home, step, pause },
      cf: (args, more) => run(cf, args, home, more),
      unik: (args) => run(process.execPath, [UNIK, ...args], home),
      answered: () => {
        result.first_run_s = Math.round((Date.now() - began) / 100) / 10;
        // `npm start` in one terminal, these in another.
        result.lines_typed = result.steps.length + 1;
      },
    });
    result.ok = true;
  } catch (err) {
    console.log(`\nThe demo failed: ${err instanceof Error ? err.message : String(err)}`);
    if (up) console.log(`\nThe platform's last lines:\n${up.log().split('\n').slice(-15).join('\n')}`);
  } finally {
    if (up && !(await up.stop())) {
      console.log(`\nunik up did not end well:\n${up.log().split('\n').slice(-5).join('\n')}`);
      result.ok = false;
    }
    for (const { pid, command } of processesOf(home)) {
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

async function step(typed, work) {
  console.log(`\n$ ${typed}`);
  const from = Date.now();
  const text = await work();
  const ms = Date.now() - from;
  result.steps.push({ typed, ms });
  if (text.trim() !== '') console.log(text.trimEnd());
  console.log(`  (${(ms / 1000).toFixed(1)} s)`);
}

/** `unik up` in a home of its own; resolves when it serves. */
async function startUp(home) {
  const config = options.config === undefined ? [] : ['--config', resolve(options.config)];
  const child = spawn(process.execPath, ['--', UNIK, 'up', '--json', ...config], {
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

/** Runs to its end; gives what it said. Throws that when it fails. `input`: what is typed into it. */
async function run(file, args, home, { input = '' } = {}) {
  const child = spawn(file, args, {
    cwd: root,
    env: { ...process.env, UNIK_HOME: home, CF_HOME: home, CF_STARTUP_TIMEOUT: '15', CF_COLOR: 'false' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  child.stdout.on('data', (data) => (said += data));
  child.stderr.on('data', (data) => (said += data));
  // It may end without having read all of it.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
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
  return said;
}

async function pause(ms) {
  if (interrupted.signal.aborted) throw new Error('interrupted');
  await new Promise((done) => setTimeout(done, ms));
}

function findCf() {
  const folders = [process.env.UNIK_INTEROP_PEERS, ...(process.env.PATH ?? '').split(delimiter)].filter(Boolean);
  return folders.map((folder) => resolve(folder, 'cf')).find(existsSync);
}

function readOptions() {
  try {
    return parseArgs({ options: { cf: { type: 'string' }, config: { type: 'string' } } }).values;
  } catch (err) {
    console.error(`npm run demo: ${err instanceof Error ? err.message : String(err)}`);
    process.exit(2);
  }
}

function finish() {
  process.exitCode = result.ok ? 0 : 1;
  console.log(JSON.stringify(result));
}

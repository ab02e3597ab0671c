/**
 * `npm start`: sets up, starts the daemon with a sample app, prints its address and what to type next, stays until
 * Ctrl-C, then removes what it started. `--once`: boots the sample in a home of its own, checks that it answers, stops
 * everything; the last line is one JSON object.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { root, setup } from './setup.mjs';

const once = process.argv.includes('--once');
const unknown = process.argv.slice(2).filter((word) => word !== '--once');
if (unknown.length > 0) {
  console.error(`npm start: unknown argument ${unknown[0]}; there is only --once`);
  process.exit(2);
}
await setup();

const userHome = process.env.UNIK_HOME ?? join(homedir(), '.unik');
// A run of --once must neither see nor stop the machines of a daemon that is already there.
const home = once ? join(userHome, `once-${randomBytes(3).toString('hex')}`) : userHome;
mkdirSync(home, { recursive: true, mode: 0o700 });
const env = { ...process.env, UNIK_HOME: home };
const name = once ? 'hello' : `hello-${randomBytes(2).toString('hex')}`;
const say = (line) => process.stderr.write(`${line}\n`);
let interrupted = false;
const stopWaiting = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = true;
    stopWaiting.abort();
  });
}

let result = { ok: false };
let started = false;
let daemonWasThere = false;
try {
  daemonWasThere = JSON.parse((await must(['version', '--json'])).stdout).daemon !== null;
  say(daemonWasThere ? 'using the daemon that is already running' : 'starting the daemon');
  if (!daemonWasThere) await must(['daemon', '--detach']);
  started = true;
  const doctor = JSON.parse((await unik(['doctor', '--json'])).stdout);
  for (const { name, status, detail } of doctor.findings) {
    if (status === 'ok') continue;
    if (name === 'kvm') say(`machines run on ${doctor.accelerator}: ${detail}`);
    if (name === 'network') say(`network: ${detail}`);
  }
  say('building samples/hello');
  const buildStart = Date.now();
  await must(['build', join(root, 'samples/hello'), '-t', 'hello'], { show: true });
  const build_ms = Date.now() - buildStart;
  say('booting it as a machine of its own');
  const bootStart = Date.now();
  const run = JSON.parse(
    (await must(['run', '-d', '--json', '--name', name, '-p', '8080', '-m', '64', 'hello'])).stdout,
  );
  const url = run.urls[0];
  await answers(url);
  const boot_ms = Date.now() - bootStart;
  result = { ok: true, url, build_ms, boot_ms, accelerator: doctor.accelerator };
  if (!once) await stay(url, boot_ms);
} catch (err) {
  if (!interrupted) {
    say(`npm start failed: ${err instanceof Error ? err.message : String(err)}`);
    process.exitCode = 1;
  }
} finally {
  if (started && daemonWasThere) await unik(['rm', '--force', name]);
  if (started && !daemonWasThere) {
    say('stopping what was started');
    const down = await unik(['down']);
    if (down.code !== 0) {
      say(down.stderr.trim());
      process.exitCode = 1;
      result.ok = false;
    }
  }
  if (once) rmSync(home, { recursive: true, force: true });
}
if (once) console.log(JSON.stringify(result));

async function stay(url, boot_ms) {
  console.log(`
  ${url}  answers from its own virtual machine (booted in ${(boot_ms / 1000).toFixed(1)} s).

  In another terminal:
    curl ${url}
    bin/unik ps
    bin/unik logs -f ${name}
    bin/unik run -d --name two -p 8081:8080 hello
    bin/unik run ./your/app -p 8082:8080
    bin/unik doctor

  Ctrl-C stops this and removes what it started.
`);
  await new Promise((resolve) => {
    const alive = setInterval(() => undefined, 60_000);
    const end = () => {
      clearInterval(alive);
      resolve(undefined);
    };
    if (stopWaiting.signal.aborted) end();
    else stopWaiting.signal.addEventListener('abort', end);
  });
}

async function answers(url) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    if (stopWaiting.signal.aborted) throw new Error('interrupted');
    try {
      const reply = await fetch(url, { signal: AbortSignal.timeout(2_000) });
      await reply.arrayBuffer();
      if (reply.status === 200) return;
    } catch (err) {
      if (Date.now() > deadline) throw err;
    }
    if (Date.now() > deadline) throw new Error(`${url} did not answer with 200 within 60 s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function must(args, options = {}) {
  const done = await unik(args, options);
  if (done.code !== 0) throw new Error(`unik ${args.join(' ')}\n${done.stderr.trim()}`);
  return done;
}

function unik(args, { show = false } = {}) {
  return new Promise((resolve) => {
    // A group of its own: Ctrl-C in the terminal reaches this script, which then stops things in order.
    const child = spawn(process.execPath, ['--', join(root, 'dist/unik.mjs'), ...args], {
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (data) => {
      stdout += data;
      if (show) process.stderr.write(data);
    });
    child.stderr.on('data', (data) => {
      stderr += data;
      if (show) process.stderr.write(data);
    });
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

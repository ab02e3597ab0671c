/**
 * `npm start [-- OPTIONS OF unik up]`: sets up, serves a whole Cloud Foundry, prints what to type next, stays until Ctrl-C,
 * then ends what it started; what was pushed runs again at the next start. `--once`: boots the bare sample in a home of
 * its own, checks that it answers, stops everything; the last line is one JSON object.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { root, setup } from './setup.mjs';

const once = process.argv.includes('--once');
const say = (line) => process.stderr.write(`${line}\n`);
const words = process.argv.slice(2).filter((word) => word !== '--once');
if (once && words.length > 0) {
  console.error(`npm start: --once takes no ${words[0]}`);
  process.exit(2);
}
await setup();
if (!once) process.exit(await up());

const userHome = process.env.UNIK_HOME ?? join(homedir(), '.unik');
// A run of --once must neither see nor stop the machines of a daemon that is already there.
const home = join(userHome, `once-${randomBytes(3).toString('hex')}`);
mkdirSync(home, { recursive: true, mode: 0o700 });
const env = { ...process.env, UNIK_HOME: home };
const name = 'hello';
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
try {
  say('starting the daemon');
  await must(['daemon', '--detach']);
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
} catch (err) {
  if (!interrupted) {
    say(`npm start failed: ${err instanceof Error ? err.message : String(err)}`);
    process.exitCode = 1;
  }
} finally {
  if (started) {
    say('stopping what was started');
    const down = await unik(['down']);
    if (down.code !== 0) {
      say(down.stderr.trim());
      process.exitCode = 1;
      result.ok = false;
    }
  }
  rmSync(home, { recursive: true, force: true });
}
console.log(JSON.stringify(result));

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

/** Serves in this terminal; gives the status to end with. */
async function up() {
  say('packing the buildpack, the staging lifecycle and the cf plugin');
  const [{ packageBuildpack }, { packageLifecycle }, { packageCfPlugin }] = await Promise.all([
    import('./package-buildpack.mjs'),
    import('./package-lifecycle.mjs'),
    import('./package-cf-plugin.mjs'),
  ]);
  await packageBuildpack();
  await packageLifecycle();
  await packageCfPlugin();
  // A group of its own: Ctrl-C in the terminal reaches this script, which tells it once.
  const child = spawn(process.execPath, ['--', join(root, 'dist/unik.mjs'), 'up', ...words], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  let told = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (!told) process.stderr.write('stopping what was started\n');
      told = true;
      child.kill('SIGTERM');
    });
  }
  return new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1)));
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

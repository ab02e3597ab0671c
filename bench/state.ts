/**
 * A cell with 1 000 running LRP instances (provider `fake`) under the embedded BBS, all in one run:
 *   starts_s      from the first desire to the last instance RUNNING in the BBS, through auction, /work, claim and start
 *   state_p99_ms  GET /state over mutual TLS, one connection; `state_ratio` against a bare HTTPS server that sends the
 *                 same bytes, asked in turn with ours
 *   bulk_ms       the slowest of three bulk passes over them, as the cell reports
 *   rss_mb        the cell's largest resident memory
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createEmbedded } from '../localcf/bbs/index.js';
import { serveBlobs } from '../test/support/cell/bits.js';
import { startCell } from '../test/support/cell/cell.js';
import { controlOf } from '../test/support/cell/control.js';
import { writeCerts } from '../test/support/diego/certs.js';
import type { Diego } from '../test/support/diego/diego.js';
import { median, parseArgs, round } from './support/report.js';

const exec = promisify(execFile);
const APPS = 10;
const INSTANCES = 100;
const ASKED = 600;
const PASSES = 3;
const options = parseArgs({ runs: 1 });
const root = process.cwd();
const home = await mkdtemp(join(tmpdir(), 'uk-bench-'));
const undo: (() => unknown)[] = [() => rm(home, { recursive: true, force: true })];

async function main(): Promise<Record<string, number>> {
  const certs = await writeCerts(join(home, 'certs'), []);
  const [ca = '', cert = '', key = ''] = await Promise.all(
    [certs.ca, certs.cert, certs.key].map((file) => readFile(file, 'utf8')),
  );
  const tls = { ca, cert, key };
  const droplet = await makeDroplet();
  const embedded = await createEmbedded({ home: join(home, 'diego'), tls });
  undo.push(() => embedded.close());
  const diego = { ...embedded, certs } as unknown as Diego;
  const control = await controlOf(diego);
  undo.push(() => control.close());
  const cell = await startCell({
    diego,
    home: join(home, 'cell'),
    cell_id: 'bench',
    provider: 'fake',
    memory_mb: 1_000_000,
    containers: 2_000,
    config: { disk_mb: 10_000_000, polling_interval: '5s', log_level: 'debug' },
  });
  undo.push(() => cell.close());

  const began = performance.now();
  for (let app = 0; app < APPS; app++) {
    await control.desire({ process_guid: `app-${app}`, droplet, instances: INSTANCES, memory_mb: 16, disk_mb: 16 });
  }
  let up = 0;
  while (up < APPS * INSTANCES) {
    if (performance.now() - began > 180_000) throw new Error(`only ${up} instances run after 180 s; see ${cell.log}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { actual_lrps } = await control.bbs.call('actual_lrps', {});
    up = actual_lrps.filter(({ state }) => state === 'RUNNING').length;
  }
  const starts_s = (performance.now() - began) / 1_000;

  const before = (await passesOf(cell.log)).length;
  let passes: number[] = [];
  // The first may have begun while instances were still coming.
  while (passes.length < PASSES + 1) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    passes = (await passesOf(cell.log)).slice(before);
  }

  const body = (await cell.ask('GET', `${cell.rep_url}/state`)).text;
  const bare = createServer({ ...tls, requestCert: true }, (_request, response) => response.end(body));
  bare.listen(0, '127.0.0.1');
  await once(bare, 'listening');
  undo.push(() => bare.close());
  const bareUrl = `https://127.0.0.1:${(bare.address() as AddressInfo).port}/`;
  const [ours, baseline]: [number[], number[]] = [[], []];
  for (let i = 0; i < ASKED; i++) {
    ours.push(await timed(() => cell.ask('GET', `${cell.rep_url}/state`)));
    baseline.push(await timed(() => cell.ask('GET', bareUrl)));
  }
  const status = await readFile(`/proc/${cell.pid}/status`, 'utf8');
  return {
    state_p99_ms: round(percentile(ours, 0.99), 1),
    state_ms: round(median(ours), 2),
    state_ratio: round(median(ours) / median(baseline), 2),
    bulk_ms: Math.max(...passes.slice(1)),
    starts_s: round(starts_s, 1),
    rss_mb: round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024),
    lrps: up,
    runs: ASKED,
  };
}

/** Milliseconds of each bulk pass that the cell told of. */
async function passesOf(log: string): Promise<number[]> {
  const lines = (await readFile(log, 'utf8')).split('\n').filter((line) => line.includes('cell.bulk-done'));
  return lines.map((line) => Number(/"duration_ms":(\d+)/.exec(line)?.[1]));
}

/** The sample, built and packed once; every instance shares its image. */
async function makeDroplet() {
  const unik = (...args: string[]) =>
    exec(process.execPath, ['--', join(root, 'dist/unik.mjs'), ...args], {
      env: { ...process.env, UNIK_HOME: join(home, 'build') },
      timeout: 120_000,
    });
  const file = join(home, 'hello.droplet.tgz');
  await unik('build', join(root, 'bench/hello'), '-t', 'hello');
  await unik('image', 'droplet', 'hello', '-o', file);
  await unik('down');
  const blobs = await serveBlobs();
  undo.push(() => blobs.close());
  return blobs.add('hello.tgz', await readFile(file));
}

async function timed(ask: () => Promise<{ status: number }>): Promise<number> {
  const began = performance.now();
  const { status } = await ask();
  if (status !== 200) throw new Error(`status ${status}`);
  return performance.now() - began;
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

try {
  const state = await main();
  if (options.json) console.log(JSON.stringify({ state }));
  else for (const [name, value] of Object.entries(state)) console.log(`${name.padEnd(14)} ${value}`);
} finally {
  for (const step of undo.reverse()) await step();
}

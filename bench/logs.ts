/**
 * Log lines per second into a Loggregator agent that counts them, two ways, interleaved in one run:
 *   ours  a console file, cut into lines, through the sink of a cell: envelopes, queues, batches, confirmations
 *   bare  a grpc-js client that writes the same envelopes, ready-made, in batches of the same size on one call
 * The agent is another thread. Then ten minutes' worth of lines at a thousand a second go through ours, and what memory
 * they cost is printed.
 */
import { credentials, Client, Server, ServerCredentials } from '@grpc/grpc-js';
import type { ClientWritableStream, sendUnaryData, ServerReadableStream } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { createIngress } from '../backend/logs/ingress.js';
import { createLoggregatorSink } from '../backend/logs/loggregator.js';
import { logItems, sourceOf } from '../backend/logs/envelope.js';
import type { Identity } from '../backend/wire/bbs.js';
import { encode } from '../backend/wire/codec.js';
import { createAgent, INGRESS, type NewEnvelope } from '../backend/wire/loggregator.js';
import { systemClock } from '../core/clock.js';
import { noLog } from '../core/log.js';
import { LineCutter } from '../executor/console/lines.js';
import { makeAuthority, makeLeaf } from '../test/support/diego/certs.js';
import { median, parseArgs, round } from './support/report.js';

const LINES = 100_000;
const LONG_RUN = 600_000;
const BATCH = 100;
/** The reader of the console waits while so many lines are queued, as it is paced by its machine elsewhere. */
const AHEAD = 10_000;
const guid = '7a9d1a6e-6c1b-4f0e-9a55-0d6a0b3f7c11';
const CONFIG = {
  guid,
  index: 0,
  source: 'CELL',
  bytes_per_second: -1,
  tags: {
    source_id: guid,
    instance_id: '0',
    process_id: guid,
    process_instance_id: 'e2b0a1c4-5d6f-4a7b-8c9d-0e1f2a3b4c5d',
    process_type: 'web',
    app_id: guid,
    app_name: 'bench',
    space_id: '1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9',
    space_name: 'space',
    organization_id: '9f8e7d6c-5b4a-4392-8170-6f5e4d3c2b1a',
    organization_name: 'org',
  },
};
const SOURCE = 'APP/PROC/WEB';

type Count = () => Promise<number>;

/** Thread of the agent: counts what comes, as cheaply as can be, and tells how many when asked. */
function serveCounting(tls: Identity): void {
  let count = 0;
  const server = new Server();
  const BatchSender = { ...INGRESS.BatchSender, requestDeserialize: countEnvelopes };
  server.addService(
    { BatchSender },
    {
      BatchSender: (call: ServerReadableStream<number, Buffer>, done: sendUnaryData<Buffer>) => {
        call.on('data', (envelopes: number) => void (count += envelopes));
        call.on('end', () => done(null, Buffer.alloc(0)));
      },
    },
  );
  const pair = { private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.cert) };
  const secure = ServerCredentials.createSsl(Buffer.from(tls.ca), [pair], true);
  server.bindAsync('127.0.0.1:0', secure, (err, port) => {
    if (err) throw err;
    parentPort?.on('message', () => parentPort?.postMessage(count));
    parentPort?.postMessage(`127.0.0.1:${port}`);
  });
}

/** Envelopes in the bytes of a batch: its only field, repeated. */
function countEnvelopes(bytes: Buffer): number {
  const reader = protobuf.Reader.create(bytes);
  let count = 0;
  for (; reader.pos < reader.len; count++) {
    reader.uint32();
    reader.skip(reader.uint32());
  }
  return count;
}

async function startCounting(tls: Identity): Promise<{ address: string; count: Count; worker: Worker }> {
  const worker = new Worker(new URL(import.meta.url), { workerData: tls });
  const [address] = (await once(worker, 'message')) as [string];
  const count: Count = async () => {
    worker.postMessage('count');
    return ((await once(worker, 'message')) as [number])[0];
  };
  return { address, count, worker };
}

const text = (n: number): string =>
  `${n} GET /api/items/${n % 977} 200 in ${n % 41} ms, user agent and some more of it`;

/** Lines per second until the agent has all of them. */
async function timed(lines: number, count: Count, send: () => Promise<void>): Promise<number> {
  const before = await count();
  const started = performance.now();
  await send();
  while ((await count()) < before + lines) await systemClock.sleep(2);
  return lines / ((performance.now() - started) / 1_000);
}

async function ours(file: string, address: string, tls: Identity, onChunk: () => void = () => undefined) {
  const ingress = createIngress({ agent: createAgent(address, tls, 'metron'), clock: systemClock, log: noLog });
  const sink = createLoggregatorSink(ingress);
  const cutter = new LineCutter();
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    const at = Date.now();
    for (const line of cutter.push(chunk)) sink.log(CONFIG, { source: SOURCE, stream: 'out', text: line.text, at });
    while (sink.stats().queued > AHEAD) await systemClock.sleep(1);
    onChunk();
  }
  await sink.close(60_000);
  return sink.stats();
}

/** What our sink sends of these lines, made before the clock runs. */
function readyMade(lines: number): NewEnvelope[][] {
  const source = sourceOf(CONFIG, SOURCE);
  if (!source) throw new Error('the configuration has a guid');
  const { source_id, instance_id, tags } = source;
  const now = BigInt(Date.now()) * 1_000_000n;
  const all = Array.from({ length: lines }, (_, n) => text(n)).flatMap((line, n) =>
    logItems(source, { stream: 'out', text: line, at: 0 }).map(({ log }) => ({
      source_id,
      instance_id,
      tags,
      log,
      timestamp: now + BigInt(n) * 1_000n,
    })),
  );
  return Array.from({ length: Math.ceil(lines / BATCH) }, (_, i) => all.slice(i * BATCH, (i + 1) * BATCH));
}

async function bare(batches: readonly NewEnvelope[][], address: string, tls: Identity): Promise<void> {
  const secure = credentials.createSsl(Buffer.from(tls.ca), Buffer.from(tls.key), Buffer.from(tls.cert));
  const client = new Client(address, secure, { 'grpc.ssl_target_name_override': 'metron' });
  const serialise = (batch: NewEnvelope[]): Buffer => encode('loggregator.v2.EnvelopeBatch', { batch });
  await new Promise<void>((resolve, reject) => {
    const call: ClientWritableStream<NewEnvelope[]> = client.makeClientStreamRequest(
      INGRESS.BatchSender.path,
      serialise,
      (bytes: Buffer) => bytes,
      (err) => (err ? reject(err) : resolve()),
    );
    void (async () => {
      for (const batch of batches) if (!call.write(batch)) await once(call, 'drain');
      call.end();
    })().catch(reject);
  });
  client.close();
}

/** Bytes of memory that a line leaves behind: the slope of the heap over lines, by least squares. */
function slope(points: readonly { lines: number; bytes: number }[]): number {
  const mean = (values: number[]): number => values.reduce((sum, one) => sum + one, 0) / values.length;
  const [x, y] = [mean(points.map(({ lines }) => lines)), mean(points.map(({ bytes }) => bytes))];
  const over = points.reduce((sum, { lines, bytes }) => sum + (lines - x) * (bytes - y), 0);
  return over / points.reduce((sum, { lines }) => sum + (lines - x) ** 2, 0);
}

/** Memory in use after a full collection. */
function memoryMeter(): () => number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  return () => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
}

async function longRun(dir: string, address: string, tls: Identity) {
  const file = join(dir, 'long');
  await writeConsole(file, LONG_RUN);
  const memory = memoryMeter();
  const points: { lines: number; bytes: number }[] = [];
  const perChunk = LONG_RUN / 20;
  let chunks = 0;
  // A chunk is 64 KB: about 800 lines.
  const linesPerChunk = 65_536 / (text(LONG_RUN / 2).length + 1);
  const stats = await ours(file, address, tls, () => {
    const lines = Math.round(++chunks * linesPerChunk);
    if (lines >= (points.length + 1) * perChunk) points.push({ lines, bytes: memory() });
  });
  // The first of them still see code compiled and buffers grown.
  return { slope: slope(points.slice(4)), dropped: stats.dropped + stats.unconfirmed };
}

async function writeConsole(file: string, lines: number): Promise<void> {
  await writeFile(file, Array.from({ length: lines }, (_, n) => `${text(n)}\n`).join(''));
}

async function main(): Promise<void> {
  const { runs, json } = parseArgs({ runs: 7 });
  const ca = await makeAuthority();
  const tls = { ca: ca.cert, ...(await makeLeaf(ca, { names: ['metron'] })) };
  const dir = await mkdtemp(join(tmpdir(), 'uk-bench-'));
  const { address, count, worker } = await startCounting(tls);
  try {
    const file = join(dir, 'console');
    await writeConsole(file, LINES);
    const batches = readyMade(LINES);
    const speeds = { ours: [] as number[], bare: [] as number[] };
    let dropped = 0;
    for (let run = -1; run < runs; run++) {
      const own = await timed(LINES, count, async () => {
        const stats = await ours(file, address, tls);
        dropped += stats.dropped + stats.unconfirmed;
      });
      const other = await timed(LINES, count, () => bare(batches, address, tls));
      // The first of each warms up.
      if (run < 0) continue;
      speeds.ours.push(own);
      speeds.bare.push(other);
      if (!json) console.error(`run ${run + 1}: ours ${round(own)} lines/s, bare ${round(other)} lines/s`);
    }
    const long = await longRun(dir, address, tls);
    dropped += long.dropped;
    const [ours_lines_s, bare_lines_s] = [median(speeds.ours), median(speeds.bare)];
    const result = {
      ratio: round(ours_lines_s / bare_lines_s, 2),
      ours_lines_s: round(ours_lines_s),
      bare_lines_s: round(bare_lines_s),
      dropped,
      memory_bytes_per_line: round(long.slope, 3),
      lines: LINES,
      runs,
    };
    console.log(JSON.stringify(result));
  } finally {
    await worker.terminate();
    await rm(dir, { recursive: true, force: true });
  }
}

if (isMainThread) await main();
else serveCounting(workerData as Identity);

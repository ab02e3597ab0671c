/**
 * Time to stage the same bits, a Go program, twice on one cell, through sandbox, lifecycle and uploads: cold, with
 * nothing on the cell and no build cache; and cached, with the lifecycle unpacked already and the build cache of the
 * first time. Nothing is kept from run to run: each has a cell of its own. Medians. The image must be the same always.
 * Beside it, how long a step of the packaged buildpack takes to start, against Node.js alone.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { buildpackIn, runProgram } from '../test/support/buildpack.js';
import { StagingBench } from '../test/support/staging/bench.js';
import { root } from '../test/support/unik.js';
import { ownLifecycle, zipOf } from '../test/support/staging/bits.js';
import { startOrigin, type Origin, type Upload } from '../test/support/staging/origin.js';
import { stagingTask } from '../test/support/staging/task.js';
import { median, parseArgs, round } from './support/report.js';

const options = parseArgs({ runs: 3 });
const started = await startOfBundle(7);
const origin = await startOrigin();
try {
  const bits = origin.add('app.zip', await zipOf(join(root, 'test/fixtures/apps/go')));
  const lifecycle = origin.add('lifecycle.tgz', await ownLifecycle());
  const times: { cold: number[]; cached: number[] } = { cold: [], cached: [] };
  const digests = new Set<string>();
  for (let run = 0; run < options.runs; run++) {
    const bench = await StagingBench.open();
    try {
      const first = await stage(bench, origin, { guid: `cold-${run}`, bits, lifecycle });
      const cache = origin.add(`cache-${run}`, first.cache.bytes);
      const second = await stage(bench, origin, { guid: `cached-${run}`, bits, lifecycle, cache });
      times.cold.push(first.ms);
      times.cached.push(second.ms);
      for (const { droplet } of [first, second]) digests.add(await imageOf(droplet.bytes));
    } finally {
      await bench.close();
    }
  }
  if (digests.size !== 1) throw new Error(`the same bits gave ${digests.size} images: ${[...digests].join(', ')}`);
  const [cold, cached] = [median(times.cold), median(times.cached)];
  const report = {
    ...{ ratio_cached: round(cached / cold, 3), cold_ms: round(cold), cached_ms: round(cached) },
    ...{ runs: options.runs, digest: [...digests][0] },
    ...started,
  };
  if (!options.json) console.log(`staged again in ${report.cached_ms} ms, at first in ${report.cold_ms} ms`);
  if (!options.json) console.log(`a step of the buildpack starts in ${report.bundle_start_ms} ms`);
  console.log(JSON.stringify({ stage: report }));
} finally {
  origin.close();
}

/** `bin/finalize`, the largest of them, from its shell script to its first look at an application, which is not there. */
async function startOfBundle(runs: number): Promise<{ bundle_start_ms: number; ratio_bundle_node: number }> {
  const dir = await mkdtemp(join(tmpdir(), 'unik-bundle-'));
  try {
    const finalize = join(await buildpackIn(dir), 'bin/finalize');
    const args = [join(dir, 'nothing'), dir, dir, '0'];
    const times: { bundle: number[]; node: number[] } = { bundle: [], node: [] };
    for (let run = 0; run < runs; run++) {
      times.bundle.push(await timeOf(finalize, args, { code: 1, output: /source_missing/ }));
      times.node.push(await timeOf(process.execPath, ['-e', '0'], { code: 0, output: /^$/ }));
    }
    const [bundle, node] = [median(times.bundle), median(times.node)];
    return { bundle_start_ms: round(bundle), ratio_bundle_node: round(bundle / node, 2) };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function timeOf(file: string, args: string[], wanted: { code: number; output: RegExp }): Promise<number> {
  const start = performance.now();
  const { code, output } = await runProgram(file, args, { CF_STACK: 'unik' });
  const ms = performance.now() - start;
  if (code !== wanted.code || !wanted.output.test(output)) throw new Error(`${file} ended with ${code}: ${output}`);
  return ms;
}

async function stage(
  bench: StagingBench,
  { uploads, url }: Origin,
  what: Omit<Parameters<typeof stagingTask>[0], 'uploader'>,
): Promise<{ ms: number; droplet: Upload; cache: Upload }> {
  uploads.length = 0;
  const start = performance.now();
  const { outcome } = await bench.stage(what.guid, stagingTask({ ...what, uploader: url }));
  const ms = performance.now() - start;
  const of = (kind: string): Upload | undefined => uploads.find(({ path }) => path.startsWith(`/v1/${kind}/`));
  const [droplet, cache] = [of('droplet'), of('build_artifacts')];
  if (outcome?.failed !== false || !droplet || !cache) {
    throw new Error(`${what.guid}: ${outcome?.reason ?? 'no outcome'}\n${bench.lines.join('\n')}`);
  }
  return { ms, droplet, cache };
}

/** Digest of the image that a droplet carries. */
async function imageOf(droplet: Buffer): Promise<string> {
  const entries = Readable.from([droplet]).pipe(createGunzip()).pipe(extract());
  let found: string | undefined;
  for await (const entry of entries) {
    if (entry.header.name.endsWith('/unik/image/image.json')) {
      const chunks: Buffer[] = [];
      for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk);
      found = (JSON.parse(Buffer.concat(chunks).toString()) as { digest: string }).digest;
    } else entry.resume();
  }
  if (found === undefined) throw new Error('the droplet has no image');
  return found;
}

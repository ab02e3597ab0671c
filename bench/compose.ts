/**
 * Time and memory to make the image of a 100 MB Node.js application, against two baselines on the very same files:
 *   ours   `buildImage` from its call to its end, in a new process: finding out what the app is and which libraries it
 *          needs, reading, writing, hashing and syncing the image
 *   mkfs   the stock mkfs.erofs on a tree that is laid out already; it does none of these but reading and writing
 *   cp     `cp -a` of that tree
 * Interleaved, medians. The child is this same program with `--child`.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ImageStore } from '../executor/images/store.js';
import { buildImage } from '../stager/build.js';
import { generateApp } from './support/generate-app.js';
import { median, parseArgs, round } from './support/report.js';

const exec = promisify(execFile);

interface ChildReport {
  ms: number;
  root: string;
  bytes: number;
  /** Highest resident memory of the process, MB. */
  peak_mb: number;
}

if (process.argv[2] === '--child') await child(process.argv[3] ?? '', process.argv[4] ?? '');
else await compare();

async function child(source: string, home: string): Promise<void> {
  const start = performance.now();
  const store = new ImageStore(join(home, 'images'));
  const image = await buildImage({ source, store, work: home, progress: () => undefined, env: process.env });
  const ms = performance.now() - start;
  const peak = /VmHWM:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  const report: ChildReport = {
    ms,
    root: join(image.dir, image.root.file),
    bytes: image.root.bytes,
    peak_mb: Number(peak) / 1024,
  };
  console.log(JSON.stringify(report));
}

async function compare(): Promise<void> {
  const options = parseArgs({ runs: 7 });
  const work = await mkdtemp(join(tmpdir(), 'uk-compose-'));
  try {
    const app = join(work, 'app');
    const files = generateApp(app, 100);
    const ours = async (home: string): Promise<ChildReport> =>
      JSON.parse((await exec(process.execPath, [process.argv[1] ?? '', '--child', app, home])).stdout) as ChildReport;

    // The first run warms the page cache for all, and gives the tree that the baselines work on.
    const first = await ours(join(work, 'first'));
    const tree = join(work, 'tree');
    await exec('fsck.erofs', [`--extract=${tree}`, first.root]);
    await rm(join(work, 'first'), { recursive: true });

    const times = { ours: [] as number[], mkfs: [] as number[], cp: [] as number[] };
    const peaks: number[] = [first.peak_mb];
    for (let run = 0; run < options.runs; run++) {
      const report = await ours(join(work, 'home'));
      times.ours.push(report.ms);
      peaks.push(report.peak_mb);
      await rm(join(work, 'home'), { recursive: true });
      times.mkfs.push(await timed('mkfs.erofs', ['--quiet', '-T0', join(work, 'mkfs.erofs'), tree]));
      await rm(join(work, 'mkfs.erofs'));
      times.cp.push(await timed('cp', ['-a', tree, join(work, 'copy')]));
      await rm(join(work, 'copy'), { recursive: true });
    }
    const [oursMs, mkfsMs, cpMs] = [median(times.ours), median(times.mkfs), median(times.cp)];
    const result = {
      ratio: round(oursMs / mkfsMs, 2),
      ratio_cp: round(oursMs / cpMs, 2),
      ours_ms: round(oursMs),
      mkfs_ms: round(mkfsMs),
      cp_ms: round(cpMs),
      peak_mb: round(Math.max(...peaks)),
      runs: options.runs,
      files,
      image_mb: round(first.bytes / 1_000_000),
    };
    if (!options.json) {
      console.log(`ours ${result.ours_ms} ms, mkfs.erofs alone ${result.mkfs_ms} ms, cp -a ${result.cp_ms} ms`);
    }
    console.log(JSON.stringify(result));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function timed(file: string, args: string[]): Promise<number> {
  const start = performance.now();
  await exec(file, args);
  return performance.now() - start;
}

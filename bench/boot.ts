/**
 * Time to the first HTTP 200, three ways, interleaved in one run:
 *   ours     `unik run` of the static sample, from the command's start
 *   bare     QEMU by hand: the same kernel, initrd, image and flags, taken from our own machine's command line; the
 *            network is QEMU's own, and the instance config is handed over as our daemon would
 *   busybox  the same kernel with busybox httpd as init, nothing of ours in it
 * All three are watched by the same client: a fresh connection every 20 ms, the first answer counts.
 */
import { execFile } from 'node:child_process';
import { copyFile, link, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { busyboxInitrd } from './support/busybox-initrd.js';
import { kill, start } from './support/child.js';
import { firstAnswer, freePort } from './support/first-answer.js';
import { median, parseArgs, round } from './support/report.js';

const exec = promisify(execFile);
const root = process.cwd();
const options = parseArgs({ runs: 7 });
const runs = Math.max(7, options.runs);
const home = await mkdtemp(join(tmpdir(), 'uk-bench-'));
const env = { ...process.env, UNIK_HOME: home };

async function unik(...args: string[]): Promise<string> {
  return (await exec(process.execPath, ['--', join(root, 'dist/unik.mjs'), ...args], { env, timeout: 120_000 })).stdout;
}

async function ours(): Promise<number> {
  const port = await freePort();
  const started = performance.now();
  const run = unik('run', '-d', '--name', 'bench', '-p', `${port}:8080`, '-m', '64', 'hello');
  const [took] = await Promise.all([firstAnswer(port, started), run]);
  await unik('rm', '--force', 'bench');
  return took;
}

interface Recipe {
  args: string[];
  folder: string;
  config: string;
}

/** Command line, files and instance config of a machine of ours, ready to be started again by hand. */
async function recipe(): Promise<Recipe> {
  await unik('run', '-d', '--name', 'model', '-p', `${await freePort()}:8080`, '-m', '64', 'hello');
  const { pid, args } = await findQemu();
  const folder = await mkdtemp(join(tmpdir(), 'uk-bare-'));
  const cwd = await readlink(`/proc/${pid}/cwd`);
  for (const file of await readdir(cwd)) {
    const name = basename(file);
    if (/^(kernel|initrd|disk0\.img)$/.test(name)) {
      await link(join(cwd, name), join(folder, name)).catch(() => copyFile(join(cwd, name), join(folder, name)));
    }
  }
  await unik('rm', '--force', 'model');
  const image = (
    JSON.parse(await unik('inspect', 'hello', '--json')) as [
      { processes: { web: { argv: string[]; cwd: string } }; env: Record<string, string> },
    ]
  )[0];
  const web = image.processes.web;
  const config = JSON.stringify({
    schema: 1,
    argv: web.argv.map((word) => word.replace(/\$\{?PORT(:-\d+)?\}?/, '8080')),
    cwd: web.cwd,
    env: { ...image.env, PORT: '8080' },
    hostname: 'bare',
    net: { mode: 'static', address: '10.0.2.15/24', gateway: '10.0.2.2', dns: [] },
    mounts: [],
    files: {},
  });
  return { args, folder, config };
}

async function findQemu(): Promise<{ pid: string; args: string[] }> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0').slice(0, -1);
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    if (args[0]?.includes('qemu-system') && cwd.startsWith(home)) return { pid, args };
  }
  throw new Error('the model machine has no QEMU process');
}

/** The same arguments with QEMU's own network instead of the tap. */
function withUserNet(args: string[], port: number): string[] {
  return args.map((word, i) =>
    args[i - 1] === '-netdev' ? `user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:${port}-:8080` : word,
  );
}

async function bare({ args, folder, config }: Recipe): Promise<number> {
  const port = await freePort();
  const scratch = join(folder, 'disk1.img');
  await rm(scratch, { force: true });
  await exec('truncate', ['-s', '1G', scratch]);
  await exec('mke2fs', [
    '-q',
    '-F',
    '-t',
    'ext4',
    '-O',
    '^has_journal',
    '-E',
    'lazy_itable_init=1',
    '-m',
    '0',
    scratch,
  ]);
  const started = performance.now();
  const child = start(withUserNet(args, port), folder);
  const handOver = setInterval(() => {
    const socket = connect(join(folder, 'c'), () => {
      clearInterval(handOver);
      socket.write(`${config}\n`);
    });
    socket.on('error', () => undefined);
  }, 5);
  try {
    return await firstAnswer(port, started);
  } finally {
    clearInterval(handOver);
    await kill(child);
  }
}

async function busybox({ args, folder }: Recipe): Promise<number> {
  const port = await freePort();
  const value = (name: string): string => args[args.indexOf(name) + 1] ?? '';
  const started = performance.now();
  const child = start(
    [
      args[0] ?? '',
      ...['-M', value('-M'), '-accel', value('-accel'), '-cpu', value('-cpu'), '-m', value('-m'), '-smp', '1'],
      ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
      ...['-chardev', 'file,id=serial,path=busybox.log', '-serial', 'chardev:serial'],
      ...['-kernel', value('-kernel'), '-initrd', 'busybox.cpio', '-append', 'console=ttyS0 panic=-1'],
      ...['-netdev', `user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:${port}-:8080`],
      ...['-device', 'virtio-net-pci,netdev=n0,romfile='],
    ],
    folder,
  );
  try {
    return await firstAnswer(port, started);
  } finally {
    await kill(child);
  }
}

try {
  await mkdir(home, { recursive: true });
  await unik('build', join(root, 'bench/hello'), '-t', 'hello');
  const model = await recipe();
  await writeFile(join(model.folder, 'busybox.cpio'), await busyboxInitrd(root));
  const times = { ours: [] as number[], bare: [] as number[], busybox: [] as number[] };
  for (let i = 0; i < runs; i++) {
    times.ours.push(await ours());
    times.bare.push(await bare(model));
    times.busybox.push(await busybox(model));
    if (!options.json)
      console.error(
        `run ${i + 1} of ${runs}: ours ${round(times.ours.at(-1))} ms, bare ${round(times.bare.at(-1))} ms, busybox ${round(times.busybox.at(-1))} ms`,
      );
  }
  const [ours_ms, bare_ms, busybox_ms] = [median(times.ours), median(times.bare), median(times.busybox)];
  await rm(model.folder, { recursive: true, force: true });
  console.log(
    JSON.stringify({
      ratio: round(ours_ms / bare_ms, 3),
      ratio_busybox: round(ours_ms / busybox_ms, 3),
      ours_ms: round(ours_ms),
      bare_ms: round(bare_ms),
      busybox_ms: round(busybox_ms),
      runs,
    }),
  );
} finally {
  await unik('down').catch((err: unknown) => console.error(String(err)));
  await rm(home, { recursive: true, force: true });
}

/**
 * The same applications on every guest that has a kernel in UNIK_TEST_KERNELS, interleaved in one run:
 *   each guest   from `executor.run` to the first HTTP 200, with the image's and the machine's size
 *   bare         QEMU by hand with unikraft's kernel, image and configuration; both on QEMU's own network
 *   container    the same program by runc
 * All are watched by the same client: fresh connections, every 20 ms at first. `ratio` is a guest's time over that of linux.
 * Beside the times, once each: bytes of machine code of kernels and programs, and the ports that are open from outside.
 * `UNIK_BENCH_APPS=c,node` measures fewer.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GuestName } from '../executor/model.js';
import type { StoredImage } from '../executor/images/store.js';
import { buildImage } from '../stager/build.js';
import { chooseGuest } from '../stager/suitability/guest.js';
import { withMovableNode } from '../test/support/debian-node.js';
import { guestCode, hostKernelCode, programCode } from './support/code-bytes.js';
import { hasRunc, runContainer } from './support/container.js';
import { makeApps, type GuestApp } from './support/guest-apps.js';
import { runInPlace } from './support/child.js';
import { interrupted } from './support/interrupt.js';
import { GuestMachines } from './support/guest-machines.js';
import { openPorts } from './support/open-ports.js';
import { median, parseArgs, round } from './support/report.js';
import { guestTable, type GuestReport } from './support/guest-table.js';

const options = parseArgs({ runs: 7 });
const runs = Math.max(7, options.runs);
const folder = process.env['UNIK_TEST_KERNELS'];
const home = await mkdtemp(join(tmpdir(), 'uk-guests-'));
const machines = new GuestMachines(home);
const isRoot = process.getuid?.() === 0;
const note = (line: string): void => {
  if (!options.json) console.error(line);
};

/** One application on everything. */
async function measure(name: string, app: GuestApp, guests: readonly GuestName[], env: NodeJS.ProcessEnv) {
  const images = new Map<GuestName, StoredImage>();
  const abis = (await machines.kernels.list()).map(({ abi }) => abi).join(',');
  for (const guest of guests.filter((each) => app.guests.includes(each))) {
    const order = {
      source: app.source,
      store: machines.store,
      work: join(home, 'work'),
      progress: () => undefined,
      env,
    };
    images.set(guest, await buildImage({ ...order, guest: chooseGuest(guest, abis) }));
  }
  const times = new Map<string, number[]>();
  const memory = new Map<string, number[]>();
  const add = (to: Map<string, number[]>, key: string, value: number): void =>
    void to.set(key, [...(to.get(key) ?? []), value]);
  const unikraft = images.get('unikraft');
  const inContainer = {
    home,
    argv: app.argv,
    cwd: app.source,
    port: 8080,
    env: { PORT: '8080', PATH: env['PATH'] ?? '' },
  };
  for (let run = 1; run <= runs; run++) {
    for (const [guest, image] of images) {
      const measured = await machines.ours(image, app.memory_mb).catch((err: unknown) => {
        interrupted.throwIfAborted();
        console.error(`${name} on ${guest} is left out: ${String(err)}`);
        images.delete(guest);
      });
      if (!measured) continue;
      add(times, guest, measured.took);
      add(memory, guest, measured.memory);
    }
    if (unikraft && images.has('unikraft')) add(times, 'bare', await machines.bare(unikraft, app.memory_mb));
    if (withRunc) {
      const measured = await runContainer(inContainer);
      add(times, 'container', measured.took);
      add(memory, 'container', measured.memory);
    }
    note(
      `${name}, run ${run} of ${runs}: ${[...times].map(([key, all]) => `${key} ${round(all.at(-1))} ms`).join(', ')}`,
    );
  }
  const of = (key: string): number => median(times.get(key) ?? []);
  const rows = [...times.keys()].map((key) => [
    key,
    {
      ...{ boot_ms: round(of(key)), ratio: round(of(key) / of('linux'), 3) },
      ...(memory.has(key) ? { machine_mb: round(median(memory.get(key) ?? []), 1) } : {}),
      ...(images.has(key as GuestName) ? { image_bytes: images.get(key as GuestName)?.root.bytes } : {}),
    },
  ]);
  const ports = name === 'c' ? await scan(images, inContainer, app.memory_mb) : undefined;
  return {
    code_bytes: programCode(app.program),
    on: Object.fromEntries(rows) as GuestReport['apps'][string]['on'],
    ...(unikraft ? { ratio_bare: round(of('unikraft') / of('bare'), 3) } : {}),
    ports,
  };
}

/** What a neighbour in the network finds open. */
async function scan(
  images: ReadonlyMap<GuestName, StoredImage>,
  container: Parameters<typeof runContainer>[0],
  memory_mb: number,
): Promise<Record<string, number[]> | undefined> {
  if (!isRoot) return undefined;
  const found: Record<string, number[]> = {};
  for (const [guest, image] of images) found[guest] = await machines.openPorts(image, memory_mb);
  if (withRunc) {
    await runContainer(container, async (address) => {
      found['container'] = await openPorts(address);
    });
  }
  return found;
}

/** Runs this very program once more where a movable Node.js lies over /usr. */
async function again(): Promise<number | undefined> {
  if (process.env['UNIK_BENCH_AGAIN'] !== undefined || folder === undefined) return undefined;
  const [first, ...prefix] = await withMovableNode(join(home, 'node')).catch((err: unknown) => {
    console.error(`skipped: node on unikraft: ${String(err)}`);
    return [];
  });
  if (first === undefined) return undefined;
  const command = [first, ...prefix, process.execPath, ...process.argv.slice(1)];
  return runInPlace(command, { ...process.env, UNIK_BENCH_AGAIN: '1' });
}

const withRunc = await hasRunc();
try {
  const status = await again();
  if (status === undefined) await report();
  else process.exitCode = status;
} finally {
  await machines.close();
  await rm(home, { recursive: true, force: true });
}

async function report(): Promise<void> {
  if (folder === undefined) console.error('UNIK_TEST_KERNELS names no folder: only the linux guest is measured');
  if (!withRunc) console.error('runc is missing, or we are not root: no container is measured');
  const guests = await machines.importKernels(folder);
  // Node.js as the host has it; where a guest cannot load that, the stager takes the movable one.
  const path = `/usr/bin:/bin:${process.env['PATH'] ?? ''}`;
  const apps = Object.entries(await makeApps(join(home, 'apps'), path));
  const wanted = process.env['UNIK_BENCH_APPS']?.split(',') ?? apps.map(([name]) => name);
  const result: GuestReport = { runs, accelerator: await machines.accelerator(), kernels: {}, apps: {} };
  // Newest first, as machines take them.
  for (const kernel of await machines.kernels.list()) {
    result.kernels[kernel.guest] ??= {
      digest: kernel.digest,
      code_bytes: await guestCode(kernel, machines.sources.get(kernel.id)),
    };
  }
  if (withRunc) result.kernels['container'] = { code_bytes: hostKernelCode() };
  for (const [name, app] of apps.filter(([each]) => wanted.includes(each))) {
    const { ports, ...measured } = await measure(name, app, guests, { ...process.env, PATH: path });
    result.apps[name] = measured;
    if (ports) result.open_ports = ports;
  }
  result.ratio_bare = result.apps['c']?.ratio_bare;
  console.log(options.json ? JSON.stringify(result) : guestTable(result));
}

/**
 * Fifty rounds of random kills (daemon, QEMU, network helper, in every phase of a start), each followed by `rm` of
 * everything; whatever is then left on the host is a leak. UNIK_CHAOS_SEED repeats a run, UNIK_CHAOS_ROUNDS changes its length.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { join } from 'node:path';
import { homeTag } from '../../../executor/providers/qemu/host.js';
import { filesBelow, freePort, makeUnik, processesOf, root, until, type Unik } from '../../support/unik.js';

const seed = Number(process.env.UNIK_CHAOS_SEED ?? Date.now() % 1_000_000);
const rounds = Number(process.env.UNIK_CHAOS_ROUNDS ?? 50);

/** mulberry32: small, seeded, good enough to choose what to kill. */
function random(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

interface Leaks {
  processes: string[];
  files: string[];
  interfaces: string[];
  nft: string[];
}

async function lines(file: string, args: string[], keep: RegExp): Promise<string[]> {
  const done = await execa(file, args, { reject: false });
  return done.stdout.split('\n').filter((line) => keep.test(line));
}

/** What the host's network holds for this home; other homes' machines come and go as they like. */
async function hostState(home: string): Promise<Pick<Leaks, 'interfaces' | 'nft'>> {
  const tag = homeTag(home);
  return {
    interfaces: await lines('ip', ['-o', 'link'], new RegExp(`: uk${tag}`)),
    nft: await lines('nft', ['list', 'tables'], new RegExp(`unik_${tag}`)),
  };
}

describe(`random kills, seed ${seed}`, () => {
  let unik: Unik;
  let before: Awaited<ReturnType<typeof hostState>>;
  beforeAll(async () => {
    unik = await makeUnik();
    await unik.ok(['build', join(root, 'samples/hello'), '-t', 'hello']);
    before = await hostState(unik.home);
  }, 120_000);
  afterAll(async () => {
    await unik.close();
    expect(await processesOf(unik.home)).toEqual([]);
    expect(await hostState(unik.home)).toEqual(before);
  }, 120_000);

  test(
    `${rounds} rounds leave nothing behind`,
    async () => {
      const next = random(seed);
      const pick = (n: number): number => Math.floor(next() * n);
      let struckMachines = 0;
      const leaks: { round: number; plan: string; leaks: Partial<Leaks> }[] = [];
      for (let round = 0; round < rounds; round++) {
        const count = 1 + pick(3);
        const network = process.getuid?.() === 0 && pick(3) > 0 ? 'tap' : 'user';
        const victim = ['daemon', 'qemu', 'daemon+qemu', 'helper', 'term'][pick(5)] ?? 'daemon';
        const delay = pick(3_000);
        const ports = await Promise.all(Array.from({ length: count }, freePort));
        const runs = ports.map((port, i) =>
          unik([
            'run',
            '-d',
            '--name',
            `r${round}-${i}`,
            '--network',
            network,
            '-p',
            `${port}:8080`,
            '-m',
            '32',
            'hello',
          ]),
        );
        await new Promise((resolve) => setTimeout(resolve, delay));
        if (await strike(unik, victim, next)) struckMachines += 1;
        await Promise.all(runs);
        // Any command brings the daemon back; it takes its machines with it.
        await until(
          'the daemon answers',
          async () => ((await unik(['ps', '-a'])).code === 0 ? true : undefined),
          30_000,
        );
        const names = (await unik.json<{ name: string }[]>(['ps', '-a'])).map((row) => row.name);
        if (names.length > 0) await unik.ok(['rm', '--force', ...names]);
        const left = await leftovers(unik, before);
        if (left)
          leaks.push({ round, plan: `${count} machines, ${network}, ${victim} after ${delay} ms`, leaks: left });
      }
      expect(leaks).toEqual([]);
      // Else the rounds would have shown nothing.
      expect(struckMachines).toBeGreaterThan(rounds / 2);
    },
    60_000 + rounds * 40_000,
  );
});

/** What remains beside the daemon, once it had ten seconds to notice. */
async function leftovers(
  unik: Unik,
  before: Awaited<ReturnType<typeof hostState>>,
): Promise<Partial<Leaks> | undefined> {
  let left: Leaks = { processes: [], files: [], interfaces: [], nft: [] };
  const look = async (): Promise<true | undefined> => {
    const host = await hostState(unik.home);
    left = {
      processes: (await processesOf(unik.home)).filter((line) => !/ daemon( |$)/.test(line)),
      files: [...(await filesBelow(join(unik.home, 'machines'))), ...(await filesBelow(join(unik.home, 'instances')))],
      interfaces: host.interfaces.filter((line) => !before.interfaces.includes(line)),
      nft: host.nft.filter((line) => !before.nft.includes(line)),
    };
    return Object.values(left).every((list: string[]) => list.length === 0) ? true : undefined;
  };
  try {
    await until('nothing left', look, 10_000);
    return undefined;
  } catch {
    return left;
  }
}

/** True: machines were there when the blow fell. */
async function strike(unik: Unik, victim: string, next: () => number): Promise<boolean> {
  const all = await processesOf(unik.home);
  const pids = (match: RegExp): number[] =>
    all.filter((line) => match.test(line)).map((line) => Number.parseInt(line, 10));
  const daemon = pids(/ daemon( |$)/);
  const qemu = pids(/qemu-system/);
  const helper = pids(/slirp4netns/);
  const one = (list: number[]): number[] => list.slice(0, 1 + Math.floor(next() * list.length));
  const kill = (list: number[], signal: NodeJS.Signals): void => {
    for (const pid of list) {
      try {
        process.kill(pid, signal);
      } catch (err) {
        // It ended between the look and the blow.
        if (!(err instanceof Error && 'code' in err && err.code === 'ESRCH')) throw err;
      }
    }
  };
  if (victim.includes('daemon')) kill(daemon, 'SIGKILL');
  if (victim.includes('qemu')) kill(one(qemu), 'SIGKILL');
  if (victim === 'helper') kill(helper.length > 0 ? one(helper) : one(qemu), 'SIGKILL');
  if (victim === 'term') kill(daemon, 'SIGTERM');
  return qemu.length > 0;
}

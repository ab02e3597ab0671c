/** Solo5's own test programs, those that are in UNIK_TEST_KERNELS, from `unik build` to their last line, on what runs each target. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { access, constants } from 'node:fs/promises';
import { basename, dirname, delimiter } from 'node:path';
import { isOnPath } from '../../../core/process.js';
import { kernelsOf } from '../../support/test-kernels.js';
import { daemonOf, makeUnik, processesOf, root, until, type Unik } from '../../support/unik.js';

const files = kernelsOf('solo5');
/** The tenders may lie beside the programs. */
const PATH = [process.env['PATH'] ?? '', ...new Set(files.map((path) => dirname(path)))].join(delimiter);
const opensKvm = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
  () => true,
  () => false,
);
const NEEDS = {
  virtio: undefined,
  spt: isOnPath('solo5-spt', PATH) ? undefined : 'no solo5-spt on the PATH',
  hvt: !isOnPath('solo5-hvt', PATH) ? 'no solo5-hvt on the PATH' : opensKvm ? undefined : '/dev/kvm cannot be opened',
};
type Target = keyof typeof NEEDS;
const programs = new Map(files.map((path) => [basename(path), path]));
const why = (target: Target): string | undefined =>
  NEEDS[target] ??
  (files.some((path) => path.endsWith(`.${target}`)) ? undefined : 'no test programs in UNIK_TEST_KERNELS');
const targets = (Object.keys(NEEDS) as Target[]).filter((target) => {
  const reason = why(target);
  if (reason !== undefined) process.stderr.write(`skipped: solo5 ${target}: ${reason}\n`);
  return reason === undefined;
});

/** Three echo requests; prints the numbers of those that are answered. */
const PING = `
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
s.settimeout(10)
def packet(n, total=0):
    return struct.pack('!BBHHH', 8, 0, total, 7, n)
got = []
for n in range(3):
    total = sum(struct.unpack('!4H', packet(n)))
    s.sendto(packet(n, ~((total & 0xffff) + (total >> 16)) & 0xffff), ('10.0.0.2', 0))
    while True:
        answer = s.recv(2048)[20:]
        if answer[0] == 0: break
    got.append(struct.unpack('!H', answer[6:8])[0])
print(*got)
`;

/** What each is told, what it must say, and how it ends. */
const ENDS: [name: string, words: string[], says: string, exit: object][] = [
  ['test_hello', ['Hello_Solo5'], "Command line is: 'Hello_Solo5'", { reason: 'exited', status: 0 }],
  ['test_quiet', [], '**** Solo5 standalone test_verbose ****', { reason: 'exited', status: 0 }],
  ['test_time', [], 'SUCCESS', { reason: 'exited', status: 0 }],
  ['test_exception', [], 'test_exception', { reason: 'kernel_panic' }],
  ['test_ssp', [], 'test_ssp', { reason: 'kernel_panic' }],
];

(targets.length === 0 ? describe.skip : describe)('solo5 on real programs', () => {
  let unik: Unik;
  beforeAll(async () => {
    await execa('node', ['scripts/build.mjs'], { cwd: root });
    unik = await makeUnik({ env: { PATH } });
  }, 120_000);
  afterAll(async () => {
    await unik.close();
    expect(await processesOf(unik.home)).toEqual([]);
  }, 60_000);

  const given = (name: string): typeof test.skip => (programs.has(name) ? test : test.skip);

  async function build(name: string): Promise<string> {
    const path = programs.get(name) ?? '';
    console.log(`${name}: sha256:${createHash('sha256').update(readFileSync(path)).digest('hex')}`);
    const tag = name.replaceAll(/[_.]/g, '-');
    await unik.ok(['build', path, '-t', tag, '--guest', 'solo5']);
    return tag;
  }

  async function exitOf(name: string): Promise<{ reason: string; message: string } | undefined> {
    return until(`${name} has ended`, async () => {
      type Seen = { status?: string; exit?: { reason: string; message: string } };
      const [{ exit, status } = {}] = await unik.json<Seen[]>(['inspect', name]);
      return exit && status !== 'running' ? exit : undefined;
    });
  }

  const cases = (targets.length === 0 ? ['virtio' as const] : targets).flatMap((target) =>
    ENDS.map(([name, ...rest]) => [`${name}.${target}`, ...rest] as const),
  );
  for (const [name, words, says, exit] of cases) {
    given(name)(
      name,
      async () => {
        const tag = await build(name);
        await unik(['run', '--name', tag, '--no-healthcheck', tag, 'kernel', ...words]);
        const { stdout } = await unik(['logs', tag]);
        expect(stdout).toContain(says);
        // What Solo5 says of itself is the kernel's.
        expect(stdout).not.toMatch(/Solo5: (Memory map|Bindings)/);
        expect(await exitOf(tag)).toMatchObject(exit);
        await unik.ok(['rm', '-f', tag]);
      },
      90_000,
    );
  }

  for (const target of targets) {
    given(`test_net.${target}`)(
      `test_net.${target} answers on its network after the daemon was killed, and is ended when told`,
      async () => {
        const tag = await build(`test_net.${target}`);
        await unik.ok(['run', '-d', '--name', tag, '--no-healthcheck', tag, 'kernel', 'verbose']);
        await until('it serves', async () =>
          (await unik(['logs', tag])).stdout.includes('Serving ping') ? true : undefined,
        );
        // The machine outlives it, and the next command starts another.
        process.kill(await daemonOf(unik.home), 'SIGKILL');
        expect(await unik.json<object[]>(['inspect', tag])).toMatchObject([{ status: 'running' }]);
        const program = target === 'virtio' ? / qemu-system/ : new RegExp(` solo5-${target} `);
        const machine = (await processesOf(unik.home)).find((line) => program.test(line));
        const pid = machine?.split(' ')[0] ?? '';
        // It knows one address, 10.0.0.2, whatever network it is in: a neighbour is made for it.
        const inside = (...words: string[]): Promise<{ stdout: string }> =>
          execa('nsenter', ['-t', pid, '-n', ...words]);
        await inside('ip', 'addr', 'add', '10.0.0.1/24', 'dev', 'tap0');
        const { stdout } = await inside('python3', '-c', PING);
        expect(stdout).toBe('0 1 2');
        await until('it has told of three', async () =>
          (await unik(['logs', tag])).stdout.match(/Received ping, sending reply/g)?.length === 3 ? true : undefined,
        );
        await unik.ok(['stop', '-t', '1', tag]);
        expect(await exitOf(tag)).toMatchObject({ reason: 'stopped' });
        await unik.ok(['rm', '-f', tag]);
      },
      90_000,
    );
  }
});

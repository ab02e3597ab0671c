import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createServer, type AddressInfo } from 'node:net';
import type { StoredKernel } from '../../executor/kernels/catalogue.js';
import type { InstanceConfig, ProgramSpec } from '../../executor/model.js';
import { bootGuest, probeConfig, probeRoot, testKernel, whyNoGuest, type BootOptions } from '../support/guest.js';
import { pause, type ControlEvent, type RawMachine } from '../support/raw-qemu.js';

jest.setTimeout(180_000);

const missing = whyNoGuest();
if (missing !== undefined) console.log(`guest boot tests are skipped: ${missing}`);
const describeGuest = missing === undefined ? describe : describe.skip;

const RESULT = { '/etc/told': `forty-two €\n${'"'.repeat(51_000)}` };

let kernel: StoredKernel;
let root: Awaited<ReturnType<typeof probeRoot>>;

async function withMachine<T>(options: BootOptions, use: (machine: RawMachine) => Promise<T>): Promise<T> {
  const machine = await bootGuest(kernel, root.root, options);
  try {
    return await use(machine);
  } finally {
    await machine.destroy();
  }
}

/** Runs the test program to its end. */
async function run(argv: string[], rest: Partial<InstanceConfig> = {}, options: BootOptions = {}): Promise<Result> {
  return withMachine(options, async (machine) => {
    await machine.send(probeConfig(argv, rest));
    await machine.exited;
    return { events: await machine.events(), out: await machine.read('out'), err: await machine.read('err') };
  });
}

interface Result {
  events: ControlEvent[];
  out: string;
  err: string;
}

function names(result: Result): string[] {
  return result.events.map(({ event }) => event);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describeGuest('the linux guest', () => {
  beforeAll(async () => {
    [kernel, root] = await Promise.all([testKernel(), probeRoot()]);
  });
  afterAll(async () => {
    await root.remove();
  });

  test('any UTF-8 in the environment arrives as it is', async () => {
    const env = {
      QUOTES: `"double" 'single' \`back\``,
      EQUALS: 'a=b==c',
      COMMAS: 'a,b,,c',
      LINES: 'one\ntwo\r\n\tthree\n',
      BACKSLASH: '\\n is not \n',
      EMOJI: '😀 naïve 日本語 \u{10ffff}',
      CONTROL: '\u0001\u001f\u007f',
      EMPTY: '',
      BIG: JSON.stringify(Array.from({ length: 5000 }, (_, n) => ({ n, text: `"quoted" \\ ${n}` }))).slice(0, 100_000),
    };
    const { out, events } = await run(['env'], { env });
    const seen = out.split('\0').slice(0, -1);
    expect(
      Object.fromEntries(seen.map((entry) => [entry.split('=', 1)[0], entry.slice(entry.indexOf('=') + 1)])),
    ).toEqual(env);
    expect(events.at(-1)).toEqual({ event: 'exit', code: 0 });
  });

  test('arguments arrive as they are, and the program is found in PATH', async () => {
    const argv = ['probe', 'args', '', 'two words', '$HOME', '*', '😀'];
    const { out } = await run([], { argv, env: { PATH: '/nowhere:/bin' } });
    expect(out).toBe(argv.map((word) => `[${word}]\n`).join(''));
  });

  test('standard output and error come apart, and status 0 is reported', async () => {
    const result = await run(['streams']);
    expect(result.out).toBe('out 0\nout 1\nout 2\n');
    expect(result.err).toBe('err 0\nerr 1\nerr 2\n');
    expect(names(result)).toEqual(['waiting', 'started', 'exit']);
  });

  test.each<[string, string[], Partial<ControlEvent>]>([
    ['a status', ['exit', '3'], { code: 3 }],
    ['a signal', ['abort'], { code: 134, signal: 6 }],
  ])('%s is reported', async (_what, argv, expected) => {
    expect((await run(argv)).events.at(-1)).toEqual({ event: 'exit', ...expected });
  });

  test.each<[string, Partial<InstanceConfig>, number, RegExp]>([
    ['a missing program', { argv: ['/bin/none'] }, 127, /\/bin\/none: no such file/],
    ['a program not in PATH', { argv: ['none'] }, 127, /none: no such file/],
    ['a file that is no program', { argv: ['/etc/data'], files: { '/etc/data': 'text' } }, 126, /data/],
    ['a missing working folder', { cwd: '/none' }, 126, /cwd \/none/],
    ['a volume', { mounts: [{ source: 'x', path: '/x', readonly: false }] }, 126, /volume/],
  ])('%s fails with its reason', async (_what, rest, code, message) => {
    const result = await run(['exit', '0'], rest);
    expect(names(result)).toEqual(['waiting', 'failed']);
    expect(result.events[1]).toMatchObject({ code });
    expect(result.events[1]?.message).toMatch(message);
  });

  test('a stop lets the application say its last words', async () => {
    await withMachine({}, async (machine) => {
      await machine.send(probeConfig(['polite']));
      while (!(await machine.read('out')).includes('ready')) await pause(20);
      await machine.send({ stop: { grace_ms: 10_000 } });
      await machine.exited;
      expect(await machine.read('out')).toBe('ready\nbye\n');
      expect((await machine.events()).at(-1)).toEqual({ event: 'exit', code: 7 });
    });
  });

  test('after the grace the application is killed, not before', async () => {
    await withMachine({}, async (machine) => {
      await machine.send(probeConfig(['stubborn']));
      while (!(await machine.read('out')).includes('ready')) await pause(20);
      const asked = performance.now();
      await machine.send({ stop: { grace_ms: 1_000 } });
      expect(await machine.event('exit')).toEqual({ event: 'exit', code: 137, signal: 9 });
      expect(performance.now() - asked).toBeGreaterThan(900);
      await machine.exited;
    });
  });

  test('a signal reaches the application', async () => {
    await withMachine({}, async (machine) => {
      await machine.send(probeConfig(['stubborn']));
      while (!(await machine.read('out')).includes('ready')) await pause(20);
      await machine.send({ signal: 10 });
      expect(await machine.event('exit')).toEqual({ event: 'exit', code: 138, signal: 10 });
    });
  });

  test('several programs are joined as they are told', async () => {
    const probe = (...argv: string[]): { run: ProgramSpec } => ({ run: { argv: ['/bin/probe', ...argv], env: {} } });
    const own = { run: { argv: ['/bin/probe', 'env'], env: { A: 'own' } } };
    const beside = {
      codependent: [probe('polite'), { serial: [probe('exit', '0'), probe('exit', '3'), probe('args')] }],
    };
    const { events, out } = await run([], {
      argv: ['/bin/none'],
      env: { A: 'common', B: 'common' },
      program: { serial: [own, { try: probe('exit', '9') }, { parallel: [probe('exit', '0')] }, beside] },
    });
    expect(events.filter(({ event }) => event === 'ended')).toEqual(
      [
        [0, 0],
        [1, 9],
        [2, 0],
        [4, 0],
        [5, 3],
      ].map(([program, code]) => ({ event: 'ended', program, code })),
    );
    // The last was never begun, and the one beside it was asked to end.
    expect(out).toMatch(/^(A=own|B=common)\0(A=own|B=common)\0(ready\n)?(bye\n)?$/);
    expect(events.at(-1)).toMatchObject({ event: 'exit', code: 9 });
  });

  test('a program that cannot be run fails like another, and says why', async () => {
    const missing = { run: { argv: ['/bin/none'], env: {} } };
    const { events, err } = await run([], { argv: ['/bin/none'], program: { joined: [missing, missing] } });
    expect(events.slice(1)).toEqual([
      { event: 'ended', program: 0, code: 127 },
      expect.objectContaining({ event: 'started' }),
      { event: 'exit', code: 127 },
    ]);
    expect(err).toMatch(/^\/bin\/none: no such file/);
  });

  test('the machine of a daemon stays, and its monitor tells when it is well and when no more', async () => {
    const monitor = { program: { run: { argv: ['/bin/probe', 'once', '/tmp/x'], env: {} } }, startup_ms: 50 };
    await withMachine({}, async (machine) => {
      await machine.send(probeConfig(['exit', '0'], { lingers: true, monitor: { ...monitor, interval_ms: 200 } }));
      const told = async (): Promise<ControlEvent[]> =>
        (await machine.events()).filter(({ event }) => event === 'monitor');
      while ((await told()).length < 2) await pause(20);
      await pause(500);
      expect(await told()).toEqual([true, false].map((passed) => ({ event: 'monitor', passed })));
      await machine.send({ stop: { grace_ms: 10_000 } });
      expect(await machine.event('exit')).toEqual({ event: 'exit', code: 0 });
      await machine.exited;
    });
  });

  test('30 MB fit into a limit of 32 MB', async () => {
    expect(await run(['eat', '30'], {}, { memory_mb: 32 })).toMatchObject({ out: 'ate 30\n' });
  });

  test('out of memory is told apart from a plain exit', async () => {
    const result = await run(['eat', '60'], {}, { memory_mb: 32 });
    expect(names(result)).toEqual(['waiting', 'started', 'oom', 'exit']);
    expect(result.events.at(-1)).toEqual({ event: 'exit', code: 137, signal: 9 });
  });

  test('clock, names and privileges are right', async () => {
    const before = Math.floor(Date.now() / 1000);
    const net = { mode: 'none', dns: ['192.0.2.1', '192.0.2.2'] } as const;
    const { out } = await run(['facts'], { hostname: 'web-0', cwd: '/tmp', net: { ...net, dns: [...net.dns] } });
    const after = Date.now() / 1000;
    const time = Number(/^time (\d+)/.exec(out)?.[1]);
    expect(time).toBeGreaterThanOrEqual(before - 2);
    expect(time).toBeLessThanOrEqual(after + 2);
    for (const line of [
      'hostname web-0',
      'cwd /tmp',
      'uid 2000 gid 2000',
      'session 1',
      'no_new_privs 1',
      'processors 1',
      'nofile 65536',
      'descriptors 0 1 2',
      'CapEff:\t0000000000000000',
      'CapBnd:\t0000000000000000',
      'SigBlk:\t0000000000000000',
      'SigIgn:\t0000000000000000',
      '127.0.0.1 localhost',
      '127.0.1.1 web-0',
      'nameserver 192.0.2.2',
    ]) {
      expect(out.split('\n').map((text) => text.replace(/^\/etc\/[a-z.]+: /, ''))).toContain(line);
    }
    expect(out).toContain('nameserver 192.0.2.1');
  });

  test('the application reaches neither ports, disks nor init, but what programs need', async () => {
    const { out } = await run(['devices']);
    const lines = out.trim().split('\n');
    const outcome = (path: string): string[] => lines.filter((line) => line.startsWith(path));
    expect(outcome('/dev/vport')).toHaveLength(8);
    expect(outcome('/dev/vd')).toHaveLength(4);
    for (const path of ['/dev/vport', '/dev/vd', '/dev/kmsg', '/dev/mem', '/proc/sysrq', '/sys/fs/cgroup']) {
      expect(outcome(path).filter((line) => line.endsWith(' open'))).toEqual([]);
    }
    expect(lines).toContain('kill init Operation not permitted');
    for (const path of ['/dev/null', '/dev/stdout', '/dev/stderr', '/dev/urandom', '/dev/ptmx']) {
      expect(lines).toContain(`${path} open`);
    }
  });

  test('random numbers are there at once', async () => {
    const { out } = await run(['random']);
    expect(Number(/after (\d+) us/.exec(out)?.[1])).toBeLessThan(1_500_000);
  });

  test('writing ends at the disk limit', async () => {
    const { out } = await run(['fill', '/home/vcap/tmp/x'], {}, { scratch_mb: 32 });
    const written = Number(/^ENOSPC after (\d+)/.exec(out)?.[1]);
    expect(written).toBeGreaterThan(20 * 2 ** 20);
    expect(written).toBeLessThan(32 * 2 ** 20);
  });

  test('files of the config are there for the application', async () => {
    const { out } = await run(['cat', '/etc/a b/c'], { files: { '/etc/a b/c': 'one\n"two"' } });
    expect(out).toBe('/etc/a b/c: one\n"two"');
  });

  test('root keeps little, limits hold, and a result comes as it was written', async () => {
    const { out, events } = await run(['facts'], { uid: 0, nofile: 4321, result_file: '/etc/told', files: RESULT });
    for (const line of ['uid 0 gid 0', 'nofile 4321', 'CapEff:\t00000000000425fb', 'CapBnd:\t00000000000425fb']) {
      expect(out.split('\n')).toContain(line);
    }
    const result = events.find(({ event }) => event === 'result') as { base64?: string } | undefined;
    expect(Buffer.from(result?.base64 ?? '', 'base64').toString()).toBe(RESULT['/etc/told']);
    expect(events.at(-1)).toMatchObject({ event: 'exit', code: 0 });
  });

  test.each([
    ['/nowhere', {}, 'No such file or directory'],
    ['/dev/random', {}, 'not a regular file'],
    ['/etc/big', { '/etc/big': 'x'.repeat(51_201) }, 'larger than 51200 bytes'],
  ])('no result from %s', async (result_file, files, error) => {
    const { events } = await run(['exit', '0'], { result_file, files });
    expect(names({ events, out: '', err: '' }).slice(-2)).toEqual(['result', 'exit']);
    expect(events.at(-2)).toEqual({ event: 'result', error });
  });

  test('it waits for its config, past half and broken lines, and over a hang-up', async () => {
    await withMachine({}, async (machine) => {
      await machine.event('waiting');
      await pause(3_000);
      const whole = JSON.stringify(probeConfig(['exit', '5']));
      await machine.sendAndHangUp(whole.slice(0, 40));
      await pause(100);
      await machine.send('');
      await machine.send('{"schema":2}');
      await machine.send(whole);
      await machine.exited;
      const events = await machine.events();
      expect(events.map(({ event }) => event)).toEqual(['waiting', 'started', 'exit']);
      expect(events[2]).toMatchObject({ code: 5 });
    });
  });

  test('values of megabytes arrive', async () => {
    const { events } = await run(
      ['exit', '0'],
      { files: { '/home/vcap/big': 'é'.repeat(2 * 2 ** 20) } },
      { memory_mb: 64 },
    );
    expect(events.at(-1)).toEqual({ event: 'exit', code: 0 });
  });

  test('a stop before the config ends the machine', async () => {
    await withMachine({}, async (machine) => {
      await machine.send({ stop: { grace_ms: 0 } });
      expect(await machine.event('failed')).toMatchObject({ code: 143 });
      await machine.exited;
    });
  });

  test('an orphan that holds the output open does not keep the machine', async () => {
    const { out, events } = await run(['orphan']);
    expect(out.split('\n').sort()).toEqual(['', 'orphan', 'parent']);
    expect(events.at(-1)).toEqual({ event: 'exit', code: 0 });
  });

  test('no byte is lost at the end', async () => {
    const { out } = await run(['flood', '4000']);
    expect(out).toHaveLength(4000 * 1024);
  });

  test('it serves over its network', async () => {
    const port = await freePort();
    const more = [
      '-netdev',
      `user,id=net,hostfwd=tcp:127.0.0.1:${port}-:80`,
      '-device',
      'virtio-net-pci,netdev=net,romfile=',
    ];
    await withMachine({ more }, async (machine) => {
      const net = { mode: 'static', address: '10.0.2.15/24', gateway: '10.0.2.2', dns: [] } as const;
      await machine.send(probeConfig(['serve', '80'], { net: { ...net, dns: [] } }));
      while (!(await machine.read('out')).includes('listening')) await pause(20);
      const reply = await fetch(`http://127.0.0.1:${port}/`);
      expect([reply.status, await reply.text()]).toEqual([200, 'ok\n']);
    });
  });

  test('two processors are seen', async () => {
    expect((await run(['facts'], {}, { cpus: 2 })).out).toContain('processors 2\n');
  });

  test('a root that is no file system fails before the config is asked for', async () => {
    await withMachine({ root: kernel.dir + '/initrd' }, async (machine) => {
      expect((await machine.event('failed')).message).toMatch(/mount \/dev\/vda/);
      await machine.exited;
      expect(await machine.read('serial')).toMatch(/unik-init: mount \/dev\/vda/);
    });
  });

  test('a panic is seen on the console and ends the machine', async () => {
    // Bytes that are no archive leave the kernel without an init.
    await withMachine({ initrd: `${kernel.dir}/kernel.json` }, async (machine) => {
      await machine.exited;
      expect(await machine.read('serial')).toMatch(/Kernel panic/);
      expect(await machine.events()).toEqual([]);
    });
  });
});

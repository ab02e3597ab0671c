import { describe, expect, test } from '@jest/globals';
import { kernelLine, word } from '../../../executor/guests/unikraft/command-line.js';
import { encodeConfig, launcher } from '../../../executor/guests/unikraft/launcher.js';
import { guests } from '../../../executor/guests/index.js';
import { commandLine as osvLine } from '../../../executor/guests/osv/command-line.js';
import { encodeSettings } from '../../../executor/guests/osv/settle.js';
import { rumpConfig } from '../../../executor/guests/rumprun/config.js';
import { fillTemplate } from '../../../executor/guests/solo5/template.js';
import { GUESTS, PROVIDERS, type InstanceConfig } from '../../../executor/model.js';
import { signOf } from '../../../executor/guests/linux/control.js';
import { checkPairing, missingDriver, PAIRINGS } from '../../../executor/providers/pairings.js';
import { anImage, aKernel } from '../../support/executor.js';
import { failure } from '../../support/failure.js';

const net = { mode: 'static', address: '10.201.0.2/30', gateway: '10.201.0.1', dns: ['1.1.1.1'] } as const;
const config = (over: Partial<InstanceConfig> = {}): InstanceConfig => ({
  ...{ schema: 1, argv: ['/app', 'a b', '$x'], cwd: '/home', env: { A: '1' }, hostname: 'box', mounts: [], files: {} },
  net: { ...net, dns: [...net.dns] },
  ...over,
});
const image = { ...anImage(), dir: '/images/i' };
const limits = { memory_mb: 64, disk_mb: 16, cpus: 1 };

describe('unikraft', () => {
  test('the command line has the network, the root and the program, and always the two dashes', () => {
    expect(kernelLine(config().net, 'box', [], ['/p', 'two words'])).toBe(
      'netdev.ip=10.201.0.2/30:10.201.0.1:1.1.1.1::box vfs.fstab=[ "initrd0:/:extract::ramfs=1:" ] -- /p "two words"',
    );
    expect(kernelLine({ mode: 'none', dns: [] }, 'box', ['A=1', 'J={"a":"b c"}'], ['/p'])).toBe(
      'vfs.fstab=[ "initrd0:/:extract::ramfs=1:" ] env.vars=[ A=1 "J={\\"a\\":\\"b c\\"}" ] -- /p',
    );
    expect(() => word('two\nlines')).toThrow(expect.objectContaining({ code: 'bad_request' }));
  });

  const plan = (found?: { launcher: boolean; variables?: { count: number; atLeast: boolean } }) =>
    guests.unikraft.plan(
      { ...image, guest: 'unikraft' },
      {
        ...aKernel({ guest: 'unikraft', files: { kernel: 'kernel' } }),
        dir: '/kernels/k',
        ...(found ? { limits: { schema: 1 as const, probed: '', boots: true, ...found } } : {}),
      },
      limits,
    );

  test('200 variables and 20 KB go by the firmware, and none of it by the command line', () => {
    const env = {
      ...Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`V${i}`, `"${i}" = 🎉`])),
      VCAP_SERVICES: 'x'.repeat(20_000),
    };
    const made = plan();
    expect(made.channels.kind).toBe('firmware');
    const { cmdline = '', file = new Uint8Array() } = made.configure?.(config({ env })) ?? {};
    expect(cmdline).not.toMatch(/V1=|VCAP/);
    const words = Buffer.from(file).subarray(20).toString().split('\0');
    expect(words.slice(0, 5)).toEqual(['/home', '/app', '/app', 'a b', '$x']);
    expect(words).toContain('V199="199" = 🎉');
    expect(words).toContain(`VCAP_SERVICES=${env.VCAP_SERVICES}`);
    expect(Buffer.from(file).readUInt32LE(12)).toBe(201);
  });

  test('files are carried as well', () => {
    const file = encodeConfig(config({ files: { '/etc/x': 'content' } }));
    expect(file.readUInt32LE(16)).toBe(1);
    expect(file.toString()).toMatch(/\/etc\/x\0content\0$/);
    expect(file.readUInt32LE(4)).toBe(file.length);
  });

  test('a kernel of 8 variables in which the launcher does not run: 8 arrive, 9 are refused', async () => {
    const made = plan({ launcher: false, variables: { count: 8, atLeast: false } });
    expect(made.channels.kind).toBe('serial');
    const env = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`V${i}`, '1']));
    // PWD is the eighth.
    expect(made.configure?.(config({ env: env(7) })).cmdline).toMatch(/env\.vars=\[ V0=1 .* PWD=\/home \]/);
    const refusal = await failure(() => made.configure?.(config({ env: env(8) })));
    expect(refusal.code).toBe('kernel_limit');
    expect(refusal.message).toMatch(/takes 8 variables and would drop the rest without a word; the application has 9/);
  });

  test('it asks for pages of 1 GiB, which it cannot boot without, and for no device it has no driver for', () => {
    expect(plan()).toMatchObject({ cpuFeatures: ['pdpe1gb'], noEntropy: true, disks: [] });
  });

  test.each([
    ['[    0.7] CRIT: [libkvmplat] <trace.c @   86> base is 0x1ae040', 'kernel_panic', true],
    ['[    0.1] ERR:  [libdevfs] <devfs_vnops.c @  315> Failed to create /dev: 20', 'boot_failed', false],
  ])('%s ends the machine as %s', (line, reason, cut) => {
    expect(signOf(line, plan().endSigns ?? [])).toMatchObject({ cut, exit: { reason } });
  });

  test('the launcher is a position-independent program without an interpreter', () => {
    const bytes = launcher();
    expect(bytes.readUInt32BE(0)).toBe(0x7f454c46);
    expect(bytes.readUInt16LE(16)).toBe(3);
    expect(bytes.includes('ld-linux')).toBe(false);
  });
});

describe('nanos', () => {
  const plan = guests.nanos.plan(
    { ...image, root: { ...image.root, bytes: 8_000_000 } },
    { ...aKernel({ guest: 'nanos', files: { kernel: 'kernel', head: 'head' } }), dir: '/k' },
    limits,
  );

  test('it starts from its disk, with the kernel’s head, its partition and the instance’s extension over the image', () => {
    expect(plan.kernel).toBeUndefined();
    expect(plan).toMatchObject({ powerButton: true, exitPort: 0x501 });
    const { patches = [] } = plan.configure?.(config()) ?? {};
    expect(patches.map(({ offset }) => offset)).toEqual([
      0,
      462,
      4 * 1024 * 1024 + 8 * 512,
      4 * 1024 * 1024 + 264 * 512,
    ]);
    expect(patches[0]?.content).toEqual({ from: '/k/head' });
  });

  test('a kernel without its boot blob, and files at start, are refused', async () => {
    const bare = { ...aKernel({ guest: 'nanos' }), dir: '/k' };
    expect((await failure(() => guests.nanos.plan(image, bare, limits))).code).toBe('kernel_invalid');
    expect((await failure(() => plan.configure?.(config({ files: { '/a': 'b' } })))).code).toBe('bad_request');
  });

  test.each([
    ['program startup failed on exec: (result:unable to open program file x)', 'boot_failed'],
    ['/app: error while loading shared libraries: libx.so: cannot open', 'boot_failed'],
    ['*** signal 11 received by tid 2, errno 0', 'exited'],
  ])('%s', (line, reason) => {
    expect(signOf(line, plan.endSigns ?? [])?.exit.reason).toBe(reason);
  });
});

describe('osv', () => {
  test('the command line starts what sets the variables, then the application; what it cannot carry is refused', async () => {
    expect(osvLine(config({ argv: ['/app', 'a b', 'say "\\"'] }))).toBe(
      '--rootfs=rofs --ip=eth0,10.201.0.2,255.255.255.252 --defaultgw=10.201.0.1 --nameserver=1.1.1.1 --cwd=/home /.unik/settle.so; /app "a b" "say \\"\\\\\\""',
    );
    for (const word of ['$x', 'größe', 'a\nb']) {
      expect((await failure(() => osvLine(config({ argv: ['/app', word] })))).code).toBe('bad_request');
    }
    const long = await failure(() => osvLine(config({ argv: ['/app', 'x'.repeat(4_000)] })));
    expect(long.code).toBe('environment_too_large');
  });

  test('variables lie on the disk, whatever they hold, and more than fits is refused', async () => {
    const area = encodeSettings({ A: 'b c', J: '{"a":"\\n\u{1f389}"}' });
    expect(area.toString('utf8', 0, 40)).toMatch(/^UNK1A=b c\0J=\{"a":"\\n\u{1f389}"\}\0\0/u);
    expect(area).toHaveLength(512 * 1024);
    expect((await failure(() => encodeSettings({ A: 'x'.repeat(600_000) }))).code).toBe('environment_too_large');
  });
});

describe('solo5', () => {
  test('the template’s facts are filled in, and a word without its fact is left out', () => {
    const argv = ['k', '--ipv4=@ADDRESS@', '--ipv4-gateway=@GATEWAY@', '--name=@HOSTNAME@', '--port=80', '@OTHER@'];
    expect(fillTemplate(config({ argv }))).toEqual([
      '--ipv4=10.201.0.2/30',
      '--ipv4-gateway=10.201.0.1',
      '--name=box',
      '--port=80',
      '@OTHER@',
    ]);
    expect(fillTemplate(config({ argv, net: { mode: 'none', dns: [] } }))).toEqual([
      '--name=box',
      '--port=80',
      '@OTHER@',
    ]);
  });

  test.each([
    ['Solo5: solo5_exit(3) called', { reason: 'exited', code: 3 }],
    ['Solo5: solo5_abort() called', { reason: 'kernel_panic' }],
  ])('%s ends a machine that would stay', (line, exit) => {
    const { endSigns = [] } = guests.solo5.plan(image, {} as never, limits);
    expect(signOf(line, endSigns)).toMatchObject({ cut: true, exit });
  });
});

describe('rumprun', () => {
  test('one key for each variable, as its reader wants and no JSON object can say', () => {
    expect(rumpConfig(config({ env: { A: '1', B: 'ö"' }, argv: ['app', 'x'] }))).toBe(
      '{"rc":[{"bin":"app","argv":["app","x"]}],"hostname":"box","env":"A=1","env":"B=\\u00f6\\"",' +
        '"net":{"if":"vioif0","type":"inet","method":"static","addr":"10.201.0.2","mask":"30","gw":"10.201.0.1"}}',
    );
  });
});

describe('lines of one console', () => {
  test.each([
    ['unikraft', '[    0.104666] ERR:  [libvirtio_bus] x', true],
    ['unikraft', '  1: Set IPv4 address 10.201.0.2 mask 255.255.255.252 gw 10.201.0.1', true],
    ['unikraft', 'listening on 8080', false],
    ['nanos', '[0.983089] en1: assigned 10.201.0.14', true],
    ['nanos', 'en1: assigned 10.0.2.15', true],
    ['nanos', 'listening on 8080', false],
    ['solo5', 'Solo5: Memory map: 64 MB addressable:', true],
    ['solo5', '**** Solo5 standalone test_hello ****', false],
    ['osv', 'OSv v0.57.0', true],
    ['osv', '[app] hello', false],
  ] as const)('%s: %s', (guest, line, isKernel) => {
    expect(guests[guest].kernelLines?.test(line)).toBe(isKernel);
  });
});

describe('pairings', () => {
  test('every guest meets QEMU; one without a driver for what a provider offers does not meet it', async () => {
    for (const guest of GUESTS) expect(() => checkPairing(guest, 'qemu')).not.toThrow();
    const refusal = await failure(() => checkPairing('unikraft', 'vsphere'));
    expect(refusal.code).toBe('guest_unsupported');
    expect(refusal.message).toMatch(/no driver for its network cards \(vmxnet3/);
    expect((await failure(() => checkPairing('unikraft', 'aws'))).message).toMatch(
      /no driver for its network cards \(ena\)/,
    );
    expect((await failure(() => checkPairing('rumprun', 'virtualbox'))).message).toMatch(
      /no driver for its disks \(ide\)/,
    );
  });

  test('whoever is paired has drivers for what the provider’s machines have', () => {
    const pairs = GUESTS.flatMap((guest) =>
      PROVIDERS.filter((provider) => PAIRINGS[guest]?.[provider] === 'yes').map(
        (provider) => [guest, provider, missingDriver(guest, provider)] as const,
      ),
    );
    expect(pairs.length).toBeGreaterThan(GUESTS.length);
    expect(pairs.filter(([, , missing]) => missing !== undefined)).toEqual([]);
  });
});

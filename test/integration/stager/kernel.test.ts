/** Applications that are kernels of their own, ready to boot. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImageStore, type StoredImage } from '../../../executor/images/store.js';
import { buildImage, type BuildOptions } from '../../../stager/build.js';
import { readyKernel } from '../../../stager/kernel-image.js';
import { failure } from '../../support/failure.js';
import { buildKernel } from '../../support/fixture-apps.js';
import { solo5Program } from '../../support/solo5.js';

let work: string;
let kernel: Buffer;
let count = 0;
beforeAll(() => {
  work = fs.mkdtempSync(join(tmpdir(), 'unik-kernels-'));
  kernel = fs.readFileSync(join(buildKernel(join(work, 'kernel')), 'kernel'));
});
afterAll(() => fs.rmSync(work, { recursive: true, force: true }));

/** A folder with these files; `true`: the kernel. */
function appOf(files: Readonly<Record<string, string | Buffer | true>>): string {
  const dir = join(work, `app-${count++}`);
  for (const [path, content] of Object.entries(files)) {
    fs.mkdirSync(join(dir, path, '..'), { recursive: true });
    fs.writeFileSync(join(dir, path), content === true ? kernel : content);
  }
  return dir;
}

function build(source: string, options: Partial<BuildOptions> = {}): Promise<StoredImage> {
  const store = new ImageStore(join(work, 'images'));
  return buildImage({ source, store, work, progress: () => undefined, env: process.env, ...options });
}

describe('an application is taken for a kernel', () => {
  test.each<[why: string, files: Record<string, string | Buffer | true>, guest: string | undefined]>([
    ['where that is all there is', { 'hello.bin': true }, 'multiboot'],
    ['where nothing else can be started', { kernel: true, 'README.md': 'x' }, 'multiboot'],
    ['where the Procfile names it', { Procfile: 'web: ./boot/a ip=$IP\n', 'boot/a': true, b: true }, 'multiboot'],
    ['where it is one of Solo5, for whatever runs it', { app: solo5Program('spt', []), 'README.md': 'x' }, 'solo5'],
    ['where that cannot be run', { app: solo5Program('xen', []) }, 'solo5'],
    ['not beside the marks of a language', { 'server.js': '1', boot: true }, undefined],
    ['not where the Procfile starts another program', { Procfile: 'web: node a.js\n', boot: true }, undefined],
    ['not through a shell', { Procfile: 'web: cat ./a | sh\n', a: true }, undefined],
    ['not from outside', { Procfile: 'web: ../app-0/hello.bin\n' }, undefined],
    ['not where there are two', { a: true, b: true }, undefined],
    ['not by its name', { kernel: '\x7fELF' }, undefined],
  ])('%s', (_why, files, guest) => expect(readyKernel({ source: appOf(files) })).toBe(guest));

  test('unless a guest is asked for', () => {
    const guest = { candidates: ['linux' as const], asked: true, why: 'asked for' };
    expect(readyKernel({ source: appOf({ kernel: true }), guest })).toBeUndefined();
  });
});

test('its image is the kernel, and its command line a process like any other', async () => {
  const lines: string[] = [];
  const files = { Procfile: "web: ./kernel ip=$IP '$5'\n", kernel: true as const };
  const image = await build(appOf(files), { cloudFoundry: true, progress: (line) => lines.push(line) });
  expect(image).toMatchObject({
    ...{ guest: 'multiboot', findings: [], labels: { 'command.web': "./kernel ip=$IP '$5'" } },
    root: { format: 'raw', bytes: kernel.length },
    processes: { web: { argv: ['./kernel', 'ip=${IP}', expect.stringMatching(/5$/)], cwd: '/', expand: true } },
  });
  expect(fs.readFileSync(join(image.dir, image.root.file)).equals(kernel)).toBe(true);
  expect(lines).toEqual([
    'Application: kernel, by what is in kernel',
    'Guest multiboot: the application is a kernel of its own',
    expect.stringMatching(/^Process web: \.\/kernel ip=\$\{IP\} /),
    expect.stringMatching(/^Image sha256:[0-9a-f]{12}, \d+ kB$/),
  ]);
  expect((await build(appOf(files), { cloudFoundry: true })).digest).toBe(image.digest);
});

test('without web, Cloud Foundry cannot start it', async () => {
  const source = appOf({ Procfile: 'boot: ./kernel\n', kernel: true });
  const guest = { candidates: ['multiboot' as const], asked: true, why: 'asked for' };
  expect((await failure(() => build(source, { cloudFoundry: true, guest }))).code).toBe('web_missing');
  expect((await build(source, { guest })).processes['boot']?.argv).toEqual(['./kernel']);
});

describe('a program of Solo5', () => {
  const service = { name: 'service', kind: 'net' } as const;

  test.each(['spt', 'hvt'] as const)('for %s asks for what runs it, and names its network', async (target) => {
    const lines: string[] = [];
    const image = await build(appOf({ app: solo5Program(target, [service]) }), {
      progress: (line) => lines.push(line),
    });
    expect(image).toMatchObject({
      ...{ guest: 'solo5', abi: `solo5-${target}-2`, networks: ['service'], ports: [8080] },
      processes: { web: { argv: ['app', '--ipv4=@ADDRESS@', '--ipv4-gateway=@GATEWAY@'] } },
    });
    expect(lines).toContain(`Guest solo5: the application is a kernel of its own, which solo5-${target} runs`);
  });

  test('without a network has no ports, and is told nothing of it', async () => {
    const image = await build(appOf({ app: solo5Program('spt', []) }));
    expect(image).toMatchObject({ networks: [], ports: [], processes: { web: { argv: ['app'] } } });
  });

  test.each<[why: string, program: Buffer, named: RegExp]>([
    ['for a target that nothing here runs', solo5Program('xen', []), /target xen; build it with -t virtio, spt, hvt/],
    ['with a disk', solo5Program('spt', [{ name: 'data', kind: 'block' }]), /wants the disk data/],
    ['with two networks', solo5Program('hvt', [service, { name: 'other', kind: 'net' }]), /wants several networks/],
    ['for virtio that no loader would take', solo5Program('virtio', []), /no multiboot header/],
  ])('%s is refused', async (_why, program, named) => {
    const dir = appOf({ app: program });
    const guest = { candidates: ['solo5' as const], asked: true, why: 'asked for' };
    const refusal = await failure(() => build(join(dir, 'app'), { guest }));
    expect(refusal.code).toBe('program_missing');
    expect(refusal.message).toMatch(named);
  });
});

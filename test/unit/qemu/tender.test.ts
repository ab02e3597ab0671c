import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { machineSpec, type Parts } from '../../../executor/boot.js';
import { guests } from '../../../executor/guests/index.js';
import type { InstanceSpec } from '../../../executor/model.js';
import { GUEST_MAC } from '../../../executor/providers/qemu/args.js';
import { programFor, secretLine } from '../../../executor/providers/qemu/program.js';
import { checkTender, tenderExitOf } from '../../../executor/providers/qemu/tender.js';
import { aKernel, anImage, aSpec } from '../../support/executor.js';
import { failure } from '../../support/failure.js';

const image = {
  ...anImage({ guest: 'solo5', abi: 'solo5-spt-2', networks: ['service'] }),
  processes: { web: { argv: ['app', '--ipv4=@ADDRESS@', '--port=$PORT'], cwd: '/', expand: true } },
  dir: '/images/i',
};
const partsOf = (over: object = {}): Parts => ({
  image: { ...image, ...over },
  kernel: { ...aKernel(), overhead_mb: 8, dir: '/images/i' },
  guest: guests.solo5,
  provider: {} as never,
});
const specOf = (over: Partial<InstanceSpec> = {}, image?: object): ReturnType<typeof machineSpec> =>
  machineSpec(aSpec({ limits: { memory_mb: 24, disk_mb: 1, cpus: 1 }, ...over }), partsOf(image));

describe('what a tender is started with', () => {
  const net = { mode: 'static', address: '10.0.0.2/30', gateway: '10.0.0.1', dns: [] } as const;

  test('memory, every network by its own name, the kernel, and its command line as one word', () => {
    const spec = specOf();
    const configured = spec.boot.configure?.({ ...spec.config, net: { ...net, dns: [] } }) ?? {};
    expect(programFor(spec, { accelerator: 'none' }, { kind: 'tap', ifname: 'tap0' }, configured)).toEqual({
      program: 'solo5-spt',
      args: [
        ...['--mem=33', '--net:service=tap0', `--net-mac:service=${GUEST_MAC}`, '--', 'kernel'],
        '--ipv4=10.0.0.2/30 --port=8080',
      ],
      output: 'serial.log',
    });
    expect(secretLine(spec.boot, configured)).toBeUndefined();
  });

  test('nothing of what there is not', () => {
    const spec = specOf({ argv: ['app'] }, { abi: 'solo5-hvt-2', networks: [], ports: [] });
    const configured = spec.boot.configure?.({ ...spec.config, net: { ...net, dns: [] } }) ?? {};
    const { program, args } = programFor(spec, { accelerator: 'kvm' }, { kind: 'tap', ifname: 'tap0' }, configured);
    expect([program, ...args]).toEqual(['solo5-hvt', '--mem=33', '--', 'kernel']);
  });

  test('QEMU, for the target virtio', () => {
    const spec = specOf({}, { abi: 'solo5-virtio-1', networks: undefined });
    expect(spec.boot.tender).toBeUndefined();
    expect(programFor(spec, { accelerator: 'tcg' }, { kind: 'none' }, { cmdline: 'x' })).toMatchObject({
      program: 'qemu-system-x86_64',
      args: expect.arrayContaining(['-preconfig']),
    });
  });
});

describe('what everybody on the host can read', () => {
  const argv = ['app', '--db=$DATABASE_URL'];
  const env = { DATABASE_URL: 'postgres://u:hunter2@db' };

  test.each([
    ['the image', {}, { processes: { web: { argv, cwd: '/', expand: true } } }],
    ['whoever starts it', { argv, expand: true }, {}],
  ])('holds no value of the environment by the words of %s', async (_whose, over, image) => {
    const refusal = await failure(() => specOf({ ...over, env }, image));
    expect(refusal.code).toBe('guest_unsupported');
    expect(refusal.message).toMatch(/\$DATABASE_URL.*solo5-spt.*target virtio/);
    expect(refusal.message).not.toContain('hunter2');
    expect(() => specOf({ ...over, env }, { ...image, abi: 'solo5-virtio-1' })).not.toThrow();
  });

  test('may hold where it runs, what is no variable, and a dollar sign', () => {
    const words = ['app', '${PORT:-80}', '$CF_INSTANCE_INDEX', '$MEMORY_LIMIT', '${__DOLLAR__:-$}HOME'];
    expect(() => specOf({ argv: words, expand: true })).not.toThrow();
    expect(() => specOf({ argv: ['app', '$HOME'] })).not.toThrow();
  });
});

describe('how a tender’s machine ended', () => {
  const { endSigns: signs = [] } = guests.solo5.plan(image, {} as never, {} as never);
  const facts = { events: [], serialTail: '', log: '', signs };

  test.each([
    ['its status is the application’s', { status: 64 }, { reason: 'exited', code: 64 }],
    ['also of a quiet one', { status: 0 }, { reason: 'exited', code: 0 }],
    ['whatever it prints', { status: 0, serialTail: 'Solo5: solo5_abort() called' }, { reason: 'exited', code: 0 }],
    ['an abort', { status: 255, serialTail: 'Solo5: solo5_abort() called' }, { reason: 'kernel_panic' }],
    ['a trap', { status: 255, serialTail: 'Solo5: trap: type=#PF' }, { reason: 'kernel_panic' }],
    ['a fault', { signal: 'SIGSEGV' }, { reason: 'kernel_panic', signal: 'SIGSEGV' }],
    ['the console, where nobody heard the status', { serialTail: 'Solo5: solo5_exit(3) called' }, { code: 3 }],
    ['no word at all', {}, { reason: 'killed' }],
    ['cut', { signal: 'SIGKILL', serialTail: 'hello' }, { reason: 'killed' }],
    [
      'a refusal of the tender’s',
      { status: 1, log: 'sent tapfd=5 for up0\nsolo5-spt: Could not attach interface: tap0: Device or resource busy' },
      { reason: 'boot_failed', code: 1, message: 'Could not attach interface: tap0: Device or resource busy' },
    ],
    ['a warning is none', { status: 2, log: 'solo5-hvt: WARNING: x' }, { reason: 'exited', code: 2 }],
    ['nor what others say', { status: 2, log: 'sent tapfd=5 for up0' }, { reason: 'exited', code: 2 }],
  ])('%s', (_what, over, exit) => expect(tenderExitOf({ ...facts, ...over })).toMatchObject(exit));
});

describe('a host', () => {
  let path: string;
  beforeAll(() => {
    path = mkdtempSync(join(tmpdir(), 'unik-tender-'));
    for (const name of ['solo5-spt', 'solo5-hvt']) writeFileSync(join(path, name), '', { mode: 0o755 });
  });
  afterAll(() => rmSync(path, { recursive: true, force: true }));

  const spt = { name: 'solo5-spt', networks: ['service'] } as const;
  const hvt = { name: 'solo5-hvt', networks: [] } as const;

  test('that has what it takes', async () => {
    expect(await checkTender(spt, { arch: 'x86_64', path, mode: 'user' })).toBe('none');
    expect(await checkTender(hvt, { arch: 'x86_64', path, mode: 'isolated', kvm: '/dev/null' })).toBe('kvm');
  });

  test.each([
    [
      'without the program',
      spt,
      { path: '/nowhere' },
      /solo5-spt needs that program, .* on the PATH of unik, .* virtio/,
    ],
    ['without KVM', hvt, { kvm: '/nowhere' }, /solo5-hvt needs \/nowhere, .* load KVM, .* virtio/],
    ['without taps', spt, { mode: 'isolated' as const }, /network isolated has no tap .* network user or tap/],
    ['without a network', spt, { mode: 'none' as const }, /network none has no tap/],
    ['of another processor', spt, { arch: 'aarch64' as const }, /is for hosts that are aarch64/],
  ])('%s is told so', async (_what, tender, over, named) => {
    const refusal = await failure(() => checkTender(tender, { arch: 'x86_64', path, mode: 'tap', ...over }));
    expect(refusal.code).toBe('guest_unsupported');
    expect(refusal.message).toMatch(named);
  });
});

import { describe, expect, test } from '@jest/globals';
import { option, processName, qemuArgs, type QemuArgsInput } from '../../../executor/providers/qemu/args.js';

const input: QemuArgsInput = {
  key: '1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed',
  boot: {
    cmdline: 'console=ttyS0 quiet',
    initrd: true,
    disks: [
      { source: { kind: 'file', path: '/images/abc/root.erofs' }, readonly: true },
      { source: { kind: 'scratch', bytes: 1024 }, readonly: false },
    ],
    channels: { kind: 'virtio-serial' },
  },
  ram_mb: 112,
  cpus: 1,
  accelerator: 'tcg',
  net: { kind: 'tap', ifname: 'tap0' },
};

/** One option a line, as a reader would write them. */
const lines = (args: readonly string[]): string[] =>
  args
    .join('\n')
    .replaceAll(/\n(?!-)/g, ' ')
    .split('\n');

describe('the command line', () => {
  test('is this', () => {
    expect(lines(qemuArgs(input))).toEqual([
      '-name guest=1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed,process=unik-1b9d6bcd-b',
      '-uuid 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed',
      '-M pc',
      '-accel tcg,tb-size=32',
      '-cpu max',
      '-m 112',
      '-smp 1',
      '-nodefaults',
      '-no-user-config',
      '-no-reboot',
      '-display none',
      '-rtc base=utc',
      '-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
      '-kernel kernel',
      '-initrd initrd',
      '-append console=ttyS0 quiet',
      '-chardev file,id=serial,path=serial.log,append=on',
      '-serial chardev:serial',
      '-device virtio-serial-pci',
      '-chardev socket,id=config,path=c,server=on,wait=off',
      '-chardev file,id=control,path=control.log,append=on',
      '-chardev file,id=out,path=out.log,append=on',
      '-chardev file,id=err,path=err.log,append=on',
      '-device virtserialport,chardev=config,name=unik.config',
      '-device virtserialport,chardev=control,name=unik.control',
      '-device virtserialport,chardev=out,name=unik.out',
      '-device virtserialport,chardev=err,name=unik.err',
      '-drive if=none,id=d0,file=disk0.img,format=raw,readonly=on,file.locking=off',
      '-device virtio-blk-pci,drive=d0,num-queues=1',
      '-drive if=none,id=d1,file=disk1.img,format=raw,cache=unsafe,discard=unmap,detect-zeroes=unmap',
      '-device virtio-blk-pci,drive=d1,num-queues=1',
      '-netdev tap,id=n0,ifname=tap0,script=no,downscript=no',
      '-device virtio-net-pci,netdev=n0,mac=02:75:6e:69:6b:01,romfile=',
      '-device virtio-rng-pci',
      '-qmp unix:q1,server=on,wait=off',
      '-qmp unix:q2,server=on,wait=off',
    ]);
  });

  test('has the same devices for every instance of an image and size', () => {
    const devices = (key: string): string[] =>
      lines(qemuArgs({ ...input, key })).filter((line) => line.startsWith('-device'));
    expect(devices('one')).toEqual(devices('two'));
  });

  test('names no file outside of the machine folder', () => {
    expect(qemuArgs(input).filter((arg) => arg.includes('/'))).toEqual([]);
  });

  test('forwards published ports where QEMU itself is the network', () => {
    const ports = [
      { host_address: '127.0.0.1', host_port: 8080, guest_port: 80, protocol: 'tcp' as const },
      { host_address: '0.0.0.0', host_port: 5353, guest_port: 53, protocol: 'udp' as const },
    ];
    expect(qemuArgs({ ...input, net: { kind: 'restricted', ports } })).toContain(
      'user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=udp:0.0.0.0:5353-:53',
    );
  });

  test('has no network device where there is no network, and no ports where the guest has none', () => {
    const boot = { ...input.boot, channels: { kind: 'serial' as const } };
    expect(qemuArgs({ ...input, net: { kind: 'none' }, boot }).join(' ')).not.toMatch(
      /virtio-net|netdev|virtserialport/,
    );
  });

  test('uses the processor as it is under KVM', () => {
    const args = lines(qemuArgs({ ...input, accelerator: 'kvm' }));
    expect(args).toEqual(expect.arrayContaining(['-accel kvm', '-cpu host']));
  });
});

describe('keys', () => {
  test.each(['../evil', '', '.', '..', '.hidden', 'a,b', 'a b', 'a/b', '-x', 'é', 'x'.repeat(129)])(
    '%j is refused',
    (key) => {
      expect(() => option(key)).toThrow(expect.objectContaining({ code: 'bad_request' }));
    },
  );

  test('that are no UUID give one, always the same', () => {
    const uuid = (key: string): string | undefined => qemuArgs({ ...input, key })[3];
    expect(uuid('app-1')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
    expect(uuid('app-1')).toBe(uuid('app-1'));
    expect(uuid('app-1')).not.toBe(uuid('app-2'));
  });

  test('show in ps, cut to what the kernel keeps', () => {
    expect(processName('0123456789abcdef')).toBe('unik-0123456789');
  });
});

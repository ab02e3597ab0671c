import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BridgedNet } from './bridged-net.js';

/** Why no network for other providers' machines can be made here. */
export function whyNoPeerNet(): string | undefined {
  return process.getuid?.() === 0 ? undefined : 'a network for the machines of other providers needs root';
}

export interface BootedDisk {
  ip: string;
  /** What came over its serial line. */
  serialFile: string;
  pid: number;
  ended: Promise<void>;
  powerOff(): Promise<void>;
}

const OVMF = '/usr/share/OVMF/OVMF_CODE_4M.fd';

export interface DiskBootOptions {
  disk: string;
  format: string;
  controller: 'nvme' | 'ide' | 'virtio' | 'pvscsi' | 'sata';
  nic: 'virtio-net-pci' | 'e1000' | 'vmxnet3';
  ram_mb: number;
  /** Default: SeaBIOS. */
  firmware?: 'uefi';
  /** A second, read-only disk. */
  seed?: string | undefined;
  /** Its address is chosen here where none is given, and told by DHCP either way. */
  ip?: string | undefined;
  serialFile: string;
}

/**
 * A network of our own in a network namespace, with real machines on it: what a cloud's physical side is to a
 * simulator. This process reaches the machines by their addresses; they get theirs by DHCP, and a metadata service at
 * 169.254.169.254 gives each what was put for its address.
 */
export class PeerNet {
  readonly #children: ChildProcess[] = [];
  readonly #machines = new Set<BootedDisk>();
  #next = 10;

  private constructor(
    readonly dir: string,
    private readonly net: BridgedNet,
  ) {}

  static async open(): Promise<PeerNet> {
    const bridged = await BridgedNet.open({ name: 'up', network: '10.99' });
    const net = new PeerNet(await mkdtemp(join(tmpdir(), 'unik-peer-')), bridged);
    try {
      await net.#begin();
      return net;
    } catch (err) {
      await net.close();
      throw err;
    }
  }

  /** Arguments of nsenter: what runs behind them is in this network. */
  get enter(): string[] {
    return this.net.enter;
  }

  /** The first three numbers of its addresses. */
  get subnet(): string {
    return this.net.subnet;
  }

  get gateway(): string {
    return `${this.subnet}.2`;
  }

  /** An address nobody has. */
  address(): string {
    return `${this.subnet}.${String(this.#next++ % 240)}`;
  }

  async setUserData(ip: string, text: string | Buffer): Promise<void> {
    await writeFile(join(this.dir, 'metadata', ip), text, { mode: 0o600 });
  }

  async boot(options: DiskBootOptions): Promise<BootedDisk> {
    const ip = options.ip ?? this.address();
    const host = ip.split('.').at(-1) ?? '0';
    const mac = `52:54:00:12:34:${Number(host).toString(16).padStart(2, '0')}`;
    const tap = `t${host}`;
    await writeFile(join(this.dir, 'hosts', host), `${mac},${ip}\n`);
    await this.net.ip([`tuntap add ${tap} mode tap`]).catch(() => undefined);
    await this.net.ip([`link set ${tap} master br0 up`]);
    await writeFile(options.serialFile, '');
    const args = [
      ...[...this.enter, 'qemu-system-x86_64', '-accel', 'tcg', '-M', options.controller === 'sata' ? 'q35' : 'pc'],
      ...[
        '-cpu',
        'max',
        '-m',
        String(options.ram_mb),
        '-nodefaults',
        '-no-user-config',
        '-no-reboot',
        '-display',
        'none',
      ],
      ...['-chardev', `file,id=s,path=${options.serialFile}`, '-serial', 'chardev:s'],
      ...(options.firmware === 'uefi' ? ['-drive', `if=pflash,format=raw,readonly=on,file=${OVMF}`] : []),
      ...diskArgs(options),
      ...['-netdev', `tap,id=n0,ifname=${tap},script=no,downscript=no`],
      ...['-device', `${options.nic},netdev=n0,mac=${mac},romfile=`],
    ];
    const child = spawn('nsenter', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let words = '';
    child.stderr.on('data', (bytes: Buffer) => (words += bytes.toString()));
    const ended = new Promise<void>((resolve) => {
      child.once('exit', (code) => {
        if (code) process.stderr.write(`peer's machine ${ip}: qemu ended with ${String(code)}: ${words}\n`);
        resolve();
      });
    });
    const machine: BootedDisk = {
      ...{ ip, serialFile: options.serialFile, pid: child.pid ?? 0, ended },
      powerOff: async () => {
        child.kill('SIGKILL');
        await ended;
      },
    };
    this.#machines.add(machine);
    void ended.then(() => this.#machines.delete(machine));
    return machine;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#machines].map((machine) => machine.powerOff()));
    for (const child of this.#children) {
      child.kill('SIGTERM');
      if (child.exitCode === null && child.signalCode === null)
        await new Promise((resolve) => child.once('exit', resolve));
    }
    await this.net.close();
    await rm(this.dir, { recursive: true, force: true });
  }

  async #begin(): Promise<void> {
    for (const name of ['hosts', 'metadata']) await mkdir(join(this.dir, name), { mode: 0o755 });
    await this.net.ip([`addr add ${this.gateway}/24 dev br0`, 'addr add 169.254.169.254/32 dev br0']);
    const dhcp = [
      ...['--keep-in-foreground', '--port=0', '--interface=br0', '--bind-interfaces', '--conf-file=/dev/null'],
      ...[`--dhcp-range=${this.subnet}.0,static,255.255.255.0,1h`, `--dhcp-hostsdir=${join(this.dir, 'hosts')}`],
      ...[`--dhcp-leasefile=${join(this.dir, 'leases')}`, '--pid-file=', '--user=root', '--no-ping'],
      ...[`--dhcp-option=option:router,${this.gateway}`, `--log-facility=${join(this.dir, 'dnsmasq.out')}`],
    ];
    this.#spawn('dnsmasq', dhcp);
    this.#spawn(process.execPath, [join(import.meta.dirname, 'metadata-service.mjs'), join(this.dir, 'metadata')]);
    for (let tries = 0; tries < 200; tries++) {
      if (await readFile(join(this.dir, 'metadata', 'ready'), 'utf8').catch(() => '')) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('the metadata service did not begin');
  }

  #spawn(file: string, args: string[]): void {
    this.#children.push(spawn('nsenter', [...this.enter, file, ...args], { stdio: ['ignore', 'ignore', 'inherit'] }));
  }
}

function diskArgs({ disk, format, controller, seed }: DiskBootOptions): string[] {
  // Machines elsewhere write to a copy of their own.
  const drive = ['-drive', `file=${disk},format=${format},if=none,id=d0,snapshot=on,file.locking=off`];
  const devices: Record<DiskBootOptions['controller'], string[]> = {
    nvme: ['-device', 'nvme,drive=d0,serial=unik,bootindex=0'],
    ide: ['-device', 'ide-hd,drive=d0,bootindex=0'],
    sata: ['-device', 'ide-hd,drive=d0,bootindex=0,bus=ide.0'],
    virtio: ['-device', 'virtio-blk-pci,drive=d0,bootindex=0'],
    pvscsi: ['-device', 'pvscsi,id=scsi0', '-device', 'scsi-hd,drive=d0,bus=scsi0.0,bootindex=0'],
  };
  const cd = [
    '-drive',
    `file=${seed ?? ''},format=raw,if=none,id=d1,readonly=on`,
    '-device',
    'ide-cd,drive=d1,bus=ide.1',
  ];
  return [...drive, ...devices[controller], ...(seed === undefined ? [] : cd)];
}

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../core/clock.js';
import { toUnikError, UnikError } from '../../../core/errors.js';
import { poll } from '../../../core/retry.js';
import type { Owner } from '../../model.js';
import type { Finding, Probe } from '../provider.js';
import { configSeed } from '../../disks/seed.js';
import type { Driver, MachineOrder, Place, Ref, RemoteMachine, RemoteState } from '../../remote/driver.js';
import { nameOf, prefixOf } from '../../remote/names.js';
import { addressOf, placeIn, poolSize } from '../../remote/pool.js';
import { readSerialFile } from '../../remote/serial-file.js';
import type { VirtualBoxConfig } from './config.js';
import { majorVersion, readInfo, readNames, VBoxError, VBoxManage } from './manage.js';

export interface VirtualBoxOptions {
  config: VirtualBoxConfig;
  /** Machines' folders are below it. */
  home: string;
  clock: Clock;
}

const OFF_MS = 30_000;

/** One that was told to go is over; one that waits (paused, stuck) is not. */
const ENDED = new Set(['poweroff', 'aborted', 'aborted-saved', 'saved']);

/** Machines of VirtualBox on this host. Names carry owner and key, so that the list of machines is the truth. */
export class VirtualBoxDriver implements Driver {
  readonly name = 'virtualbox';
  readonly configFrom = 'seed';
  readonly firmware = 'bios';
  readonly serial = {
    kind: 'after',
    read: (ref: Ref, bytes: number) => readSerialFile(join(this.#folder(nameOf(ref)), 'serial'), bytes),
  } as const;
  readonly #manage: VBoxManage;
  #major: Promise<number> | undefined;

  constructor(private readonly options: VirtualBoxOptions) {
    this.#manage = new VBoxManage(options.config.vboxmanage, options.clock);
  }

  place(taken: readonly string[]): Place {
    return placeIn(this.options.config.addresses, taken);
  }

  async probe(signal: AbortSignal): Promise<Probe> {
    const { adapter, vboxmanage } = this.options.config;
    const install = 'Install VirtualBox 6 or 7 with its kernel module, and set virtualbox.vboxmanage to its program.';
    const version = await this.#ask('program', install, async () => {
      const text = (await this.#manage.call(['--version'], signal)).trim();
      majorVersion(text);
      // Then it says so before its version.
      if (/^WARNING/m.test(text)) throw new UnikError('provider_unavailable', text.split('\n')[0] ?? '');
      return text;
    });
    const findings = [version];
    if (version.status === 'ok') {
      const fix = `${vboxmanage} hostonlyif create, or set virtualbox.adapter`;
      findings.push(
        await this.#ask(`network ${adapter}`, fix, async () => {
          const known = await this.#manage.call(['list', 'hostonlyifs'], signal);
          if (new RegExp(`^Name:\\s+${adapter}$`, 'm').test(known)) return 'there';
          throw new UnikError('provider_unavailable', `no host-only network ${adapter}`);
        }),
        await this.#ask(
          'rights',
          'Run the cell as the account whose VirtualBox this is, with its folder writable.',
          async () => {
            const known = readNames(await this.#manage.call(['list', 'vms'], signal));
            return `its list of machines (${known.length}) can be read`;
          },
        ),
        {
          ...{ name: 'virtualbox quota', status: 'ok' as const },
          detail: `addresses for ${poolSize(this.options.config.addresses)} machines`,
        },
      );
    }
    const healthy = findings.every(({ status }) => status === 'ok');
    return { healthy, summary: healthy ? `VirtualBox ${version.detail}` : 'VirtualBox cannot be used', findings };
  }

  async create(order: MachineOrder, signal: AbortSignal): Promise<RemoteMachine> {
    const known = (await this.find(order.owner)).find(({ key }) => key === order.key);
    if (known?.state === 'running') return { ...known, ...addressOf(order) };
    // Left half-made by a process that died: cheaper made anew than understood.
    if (known) await this.remove(known);
    const name = nameOf(order);
    const folder = this.#folder(name);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const [disk, seed] = [join(folder, 'disk.vdi'), join(folder, 'seed.iso')];
    await writeFile(seed, configSeed(order.config), { mode: 0o600 });
    const call = (...args: string[]): Promise<string> => this.#manage.call(args, signal);
    await call('convertfromraw', order.disk.path, disk, '--format', 'VDI');
    await call('createvm', '--name', name, '--ostype', 'Linux26_64', '--register', '--basefolder', this.#base);
    await call('modifyvm', name, ...(await this.#settings(order, name)));
    await call('storagectl', name, '--name', 'IDE', '--add', 'ide', '--controller', 'PIIX4');
    const attach = (port: string, type: string, medium: string): Promise<string> =>
      call(
        'storageattach',
        name,
        '--storagectl',
        'IDE',
        '--port',
        port,
        '--device',
        '0',
        '--type',
        type,
        '--medium',
        medium,
      );
    await attach('0', 'hdd', disk);
    await attach('1', 'dvddrive', seed);
    await call('startvm', name, '--type', 'headless');
    return { key: order.key, owner: order.owner, id: name, state: 'running', ...addressOf(order) };
  }

  async find(owner: Owner): Promise<RemoteMachine[]> {
    const prefix = prefixOf(owner);
    // Each call is a process: most machines run, and one call names all of those.
    const running = new Set(readNames(await this.#manage.call(['list', 'runningvms'])));
    const names = readNames(await this.#manage.call(['list', 'vms'])).filter((name) => name.startsWith(prefix));
    const machines = await Promise.all(
      names.map(async (name): Promise<RemoteMachine | undefined> => {
        const state = running.has(name) ? ('running' as const) : await this.#state(name);
        return state && { key: name.slice(prefix.length), owner, id: name, state };
      }),
    );
    return machines.filter((machine) => machine !== undefined);
  }

  async powerOff(ref: Ref): Promise<void> {
    const name = nameOf(ref);
    try {
      await this.#manage.call(['controlvm', name, 'poweroff']);
    } catch (err) {
      // It was off, or is gone, already.
      if ((await this.#state(name)) === 'running') throw err;
    }
  }

  async remove(ref: Ref): Promise<void> {
    const name = nameOf(ref);
    const state = await this.#state(name);
    if (state === 'running') {
      await this.powerOff(ref);
      const { clock } = this.options;
      const off = async (): Promise<true | undefined> => ((await this.#state(name)) === 'running' ? undefined : true);
      await poll(off, { clock, timeout_ms: OFF_MS, interval_ms: 200, what: `machine ${name} to power off` });
    }
    if (state) {
      await this.#manage.call(['unregistervm', name, '--delete']).catch((err: unknown) => {
        if (!(err instanceof VBoxError && err.vbox === 'VBOX_E_OBJECT_NOT_FOUND')) throw err;
      });
    }
    await rm(this.#folder(name), { recursive: true, force: true });
  }

  get #base(): string {
    return join(this.options.home, 'vms');
  }

  #folder(name: string): string {
    return join(this.#base, name);
  }

  /** In the older spelling, which versions 6 and 7 both know, but for one. */
  async #settings({ ram_mb, limits }: MachineOrder, name: string): Promise<string[]> {
    this.#major ??= this.#manage.call(['--version']).then(majorVersion);
    this.#major.catch(() => (this.#major = undefined));
    const silent = (await this.#major) >= 7 ? ['--audio-enabled', 'off'] : ['--audio', 'none'];
    return [
      ...['--memory', String(ram_mb), '--cpus', String(limits.cpus), '--acpi', 'on', '--ioapic', 'on', '--vram', '8'],
      ...['--boot1', 'disk', '--boot2', 'none', '--rtcuseutc', 'on', ...silent],
      ...['--nic1', 'hostonly', '--hostonlyadapter1', this.options.config.adapter, '--nictype1', 'virtio'],
      ...[
        '--cableconnected1',
        'on',
        '--uart1',
        '0x3F8',
        '4',
        '--uartmode1',
        'file',
        join(this.#folder(name), 'serial'),
      ],
    ];
  }

  async #state(name: string): Promise<RemoteState | undefined> {
    try {
      const info = readInfo(await this.#manage.call(['showvminfo', name, '--machinereadable']));
      return ENDED.has(info.get('VMState') ?? '') ? 'ended' : 'running';
    } catch (err) {
      if (err instanceof VBoxError && err.vbox === 'VBOX_E_OBJECT_NOT_FOUND') return undefined;
      throw err;
    }
  }

  async #ask(what: string, fix: string, look: () => Promise<string>): Promise<Finding> {
    try {
      return { name: `virtualbox ${what}`, status: 'ok', detail: await look() };
    } catch (err) {
      return { name: `virtualbox ${what}`, status: 'error', detail: toUnikError(err).message, fix };
    }
  }
}

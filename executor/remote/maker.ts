import { toUnikError, UnikError } from '../../core/errors.js';
import { poll } from '../../core/retry.js';
import { Turns } from '../../core/turns.js';
import type { DiskBoot } from '../guests/guest.js';
import type { MachineSpec } from '../providers/provider.js';
import type { Attended, RemoteParts } from './attended.js';
import type { DiskCache } from './disk-cache.js';
import { DOOR_PORT } from './door.js';
import type { MachineOrder, Place, Ref, RemoteMachine } from './driver.js';
import { Forwards } from './forward.js';
import type { RemoteRecord } from './record.js';

interface Parts extends RemoteParts {
  disks: DiskCache;
  attended: Attended;
  /** Takes away whatever there is of a machine. */
  clear: (ref: Ref) => Promise<void>;
}

/** Makes machines elsewhere: noted before they are ordered, looked after once they run. */
export class Maker {
  /** Addresses are chosen one start at a time. */
  readonly #turns = new Turns();

  constructor(private readonly parts: Parts) {}

  /**
   * `before`: what is noted of an order of this key that nothing came of yet. Throws guest_unsupported, port_taken,
   * machine_failed and what the driver throws; nothing is left then.
   */
  async make(spec: MachineSpec, before: RemoteRecord | undefined, signal: AbortSignal): Promise<RemoteRecord> {
    const { driver, records, attended, clear, log } = this.parts;
    const boot = this.#bootOf(spec);
    let address: string | undefined;
    const { forwards, ports } = await Forwards.open(spec.ports, () => address);
    try {
      const { key, owner, name } = spec;
      const record = await this.#note({ schema: 1, key, owner, name, ports: before?.ports ?? ports }, before);
      const order = await this.#order(spec, { record, boot }, signal);
      const made = await this.#settled(await driver.create(order, signal), signal);
      address = made.address;
      const done: RemoteRecord = { ...record, id: made.id, ...(address === undefined ? {} : { address }) };
      await records.save(done);
      return (await attended.attach(done, forwards)).record;
    } catch (err) {
      forwards.close();
      await clear({ key: spec.key, owner: spec.owner, id: '' }).catch((cause: unknown) => {
        // It carries our owner and key: `gc` finds it.
        log.error({ err: cause, key: spec.key }, 'remote.not-cleared');
      });
      throw signal.aborted ? err : toUnikError(err, 'machine_failed');
    }
  }

  #bootOf({ boot }: MachineSpec): DiskBoot {
    const { name, arch = 'x86_64' } = this.parts.driver;
    if (!boot.disk) {
      throw new UnikError(
        'guest_unsupported',
        `this ${boot.guest} image boots from no disk, which provider ${name} needs`,
      );
    }
    if (boot.arch !== arch) {
      throw new UnikError('guest_unsupported', `provider ${name} runs ${arch} images, not ${boot.arch}`);
    }
    return boot.disk;
  }

  /** Notes the machine before it is made, so that it can be found and cleared away whatever happens next. */
  #note(record: RemoteRecord, before: RemoteRecord | undefined): Promise<RemoteRecord> {
    return this.#turns.take(async () => {
      const place = before?.place ?? (await this.#place());
      const noted = place ? { ...record, place } : record;
      await this.parts.records.save(noted);
      return noted;
    });
  }

  async #place(): Promise<Place | undefined> {
    const { driver, records } = this.parts;
    if (!driver.place) return undefined;
    const taken = (await records.all()).flatMap(({ place }) => (place ? [place.address] : []));
    return driver.place(taken);
  }

  async #order(
    spec: MachineSpec,
    { record, boot }: { record: RemoteRecord; boot: DiskBoot },
    signal: AbortSignal,
  ): Promise<MachineOrder> {
    const { driver, disks, tokens } = this.parts;
    const { key, owner, name, limits, ram_mb } = spec;
    const { place } = record;
    const where = { configFrom: driver.configFrom, firmware: driver.firmware, scratch_mb: limits.disk_mb };
    const disk = await disks.get(boot, where, signal);
    const config = spec.configAt?.({ ports: record.ports, address: place?.address }) ?? spec.config;
    const net = place?.net ?? { mode: 'dhcp' as const, dns: spec.network.dns };
    const door = { port: DOOR_PORT, token: await tokens.of(key) };
    return {
      ...{ key, owner, name, limits, ram_mb, disk, boot, place },
      config: JSON.stringify({ ...config, net, door, memory_mb: limits.memory_mb }),
    };
  }

  /** Until it runs and we know where, or has ended already. */
  async #settled(made: RemoteMachine, signal: AbortSignal): Promise<RemoteMachine> {
    const { clock, driver, pace } = this.parts;
    let now: RemoteMachine | undefined = made;
    return poll(
      async () => {
        if (now && (now.state === 'ended' || (now.state === 'running' && now.address !== undefined))) return now;
        now = (await driver.find(made.owner)).find(({ key }) => key === made.key) ?? now;
        return undefined;
      },
      {
        ...{ clock, signal, timeout_ms: pace.start_ms, interval_ms: Math.min(1_000, pace.state_ms) },
        what: `machine ${made.key} to run at provider ${driver.name}`,
      },
    );
  }
}

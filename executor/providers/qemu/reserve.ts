import { Turns } from '../../../core/turns.js';
import type { MachineSpec } from '../provider.js';
import { choosePorts, freeSlot } from './allocate.js';
import { claimSlot } from './claim.js';
import { routedRanges, slotIsUnrouted } from './host.js';
import { slotsIn, type Subnets } from './net/addresses.js';
import type { MachineFolder, MachineRecord, Machines } from './record.js';

/** A machine's place on this host. `letGo`: to be called when the machine's routes tell of it. */
export interface Reserved {
  record: MachineRecord;
  letGo: () => void;
}

/** Picks slots and ports, one start at a time, and notes them: whatever happens next can be found and cleared away. */
export class Reservations {
  readonly #turns = new Turns();

  constructor(
    private readonly machines: Machines,
    private readonly subnets: Subnets,
    private readonly uidOf: (slot: number) => number,
  ) {}

  /** Throws insufficient_machines, port_taken. */
  take(spec: MachineSpec, folder: MachineFolder, accelerator: MachineRecord['accelerator']): Promise<Reserved> {
    return this.#turns.take(() => this.#take(spec, folder, accelerator));
  }

  async #take(spec: MachineSpec, folder: MachineFolder, accelerator: MachineRecord['accelerator']): Promise<Reserved> {
    const { records } = await this.machines.all();
    const { slot, taken: letGo } = await freeSlot(records, Math.min(slotsIn(this.subnets), 65_536), (candidate) =>
      spec.network.mode === 'tap' ? this.#claim(candidate) : Promise.resolve(() => undefined),
    );
    try {
      const ports = spec.network.mode === 'bridge' ? spec.ports : await choosePorts(spec.ports, records);
      const record = recordOf(spec, { slot, uid: this.uidOf(slot), accelerator, ports });
      await folder.make();
      await folder.save(record);
      return { record, letGo };
    } catch (err) {
      letGo();
      throw err;
    }
  }

  /** The routes are read after the claim: the last holder's route was there before it let go. */
  async #claim(slot: number): Promise<(() => void) | undefined> {
    const letGo = await claimSlot(slot, this.subnets.guest);
    if (letGo === undefined || slotIsUnrouted(slot, this.subnets, await routedRanges())) return letGo;
    letGo();
    return undefined;
  }
}

function recordOf(
  { key, owner, name, network, boot }: MachineSpec,
  place: Pick<MachineRecord, 'slot' | 'uid' | 'accelerator' | 'ports'>,
): MachineRecord {
  const { channels, disks, tender, powerButton = false, exitPort, endSigns = [] } = boot;
  return {
    ...{ schema: 1, key, owner, name, mode: network.mode },
    ...place,
    ...(tender ? { tender: tender.name } : {}),
    scratch_bytes: Math.max(0, ...disks.map(({ source }) => (source.kind === 'file' ? 0 : source.bytes))),
    guest: {
      channel: channels.kind,
      power_button: powerButton,
      exit_port: exitPort !== undefined,
      end_signs: endSigns.map((sign) => ({ ...sign })),
    },
  };
}

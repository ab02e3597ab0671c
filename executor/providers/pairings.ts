import { UnikError } from '../../core/errors.js';
import { guests } from '../guests/index.js';
import type { GuestName, ProviderName } from '../model.js';

/** What runs where (design D5): `yes`, or why not. A pair that is not listed is not offered. */
export const PAIRINGS: Partial<Record<GuestName, Partial<Record<ProviderName, string>>>> = {
  linux: {
    qemu: 'yes',
    fake: 'yes',
    aws: 'yes',
    openstack: 'yes',
    virtualbox: 'yes',
    vsphere: 'yes',
    arm: 'yes',
  },
  unikraft: { qemu: 'yes' },
  nanos: { qemu: 'yes' },
  osv: { qemu: 'yes' },
  solo5: { qemu: 'yes' },
  rumprun: { qemu: 'yes' },
  multiboot: { qemu: 'yes' },
};

/** What the machines that we make at a provider have. Other devices of theirs (AHCI, e1000, Fusion) we never order. */
const HARDWARE: Partial<Record<ProviderName, { network: readonly string[]; disk: readonly string[] }>> = {
  aws: { network: ['ena'], disk: ['nvme'] },
  vsphere: { network: ['vmxnet3'], disk: ['pvscsi'] },
  virtualbox: { network: ['virtio-net'], disk: ['ide'] },
  openstack: { network: ['virtio-net'], disk: ['virtio-blk', 'virtio-scsi'] },
  // The root comes over the network and stays in memory.
  arm: { network: ['bcmgenet', 'macb', 'smsc95xx', 'lan78xx'], disk: [] },
};

/** A dead network shows nowhere but from outside, so it is refused before it boots. Undefined: nothing is missing. */
export function missingDriver(guest: GuestName, provider: ProviderName): string | undefined {
  const has = HARDWARE[provider];
  const { devices } = guests[guest].capabilities;
  if (has && !has.network.some((card) => devices.network.includes(card))) {
    return `it has no driver for its network cards (${has.network.join(', ')})`;
  }
  if (has && has.disk.length > 0 && devices.disk.length > 0 && !has.disk.some((disk) => devices.disk.includes(disk))) {
    return `it has no driver for its disks (${has.disk.join(', ')})`;
  }
  return undefined;
}

/** Throws `guest_unsupported` with the reason. */
export function checkPairing(guest: GuestName, provider: ProviderName): void {
  // A fake machine boots nothing, so every guest meets it.
  const verdict = provider === 'fake' ? 'yes' : PAIRINGS[guest]?.[provider];
  if (verdict === 'yes') return;
  throw new UnikError(
    'guest_unsupported',
    `guest ${guest} does not run on provider ${provider}: ${verdict ?? missingDriver(guest, provider) ?? 'nobody has brought them together yet'}`,
  );
}

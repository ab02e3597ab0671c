import { UnikError } from '../../core/errors.js';
import type { GuestName, ProviderName } from '../model.js';

/** What runs where (design D5): `yes`, or why not. A pair that is not listed is not offered. */
export const PAIRINGS: Partial<Record<GuestName, Partial<Record<ProviderName, string>>>> = {
  linux: {
    qemu: 'yes',
    fake: 'yes',
  },
  unikraft: { qemu: 'yes' },
  nanos: { qemu: 'yes' },
  osv: { qemu: 'yes' },
  solo5: { qemu: 'yes' },
  rumprun: { qemu: 'yes' },
  multiboot: { qemu: 'yes' },
};

/** Throws `guest_unsupported` with the reason. */
export function checkPairing(guest: GuestName, provider: ProviderName): void {
  // A fake machine boots nothing, so every guest meets it.
  const verdict = provider === 'fake' ? 'yes' : PAIRINGS[guest]?.[provider];
  if (verdict === 'yes') return;
  throw new UnikError(
    'guest_unsupported',
    `guest ${guest} does not run on provider ${provider}: ${verdict ?? 'nobody has brought them together yet'}`,
  );
}

import type { Pace } from '../../executor/remote/machine.js';

/** How often providers of machines elsewhere are asked in tests. */
export const PACE: Partial<Pace> = {
  ...{ state_ms: 300, serial_ms: 250, settle_ms: 3_000, power_off_ms: 5_000, appear_ms: 3_000, start_ms: 60_000 },
};

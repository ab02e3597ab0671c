import type { MachineRecord } from '../../executor/providers/qemu/record.js';

/** Of a machine that QEMU was not started for yet. */
export const aMachineRecord: MachineRecord = {
  ...{ schema: 1, key: 'one', owner: 'o', name: 'one', slot: 0, uid: 0 },
  ...{ mode: 'none', accelerator: 'tcg', ports: [], scratch_bytes: 0 },
};

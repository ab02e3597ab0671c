import { z } from 'zod';
import { addressPoolSchema } from '../../remote/pool-config.js';

export const virtualboxConfigSchema = z.strictObject({
  /** The program; VirtualBox 6.0 to 7. All calls must come from one account of the host. */
  vboxmanage: z.string().min(1).default('VBoxManage'),
  /** The host-only network that machines are in, and the addresses they may have there. */
  adapter: z.string().min(1).default('vboxnet0'),
  addresses: addressPoolSchema.default({
    subnet: '192.168.56.0/24',
    first: '192.168.56.20',
    last: '192.168.56.99',
    dns: [],
  }),
});
export type VirtualBoxConfig = z.output<typeof virtualboxConfigSchema>;

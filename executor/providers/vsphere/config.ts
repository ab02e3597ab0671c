import { z } from 'zod';
import { addressPoolSchema } from '../../remote/pool-config.js';

const name = z.string().min(1);

export const vsphereConfigSchema = z.strictObject({
  /** Of vCenter or of an ESXi host, such as `https://vcenter.example.org`. */
  url: z.url({ protocol: /^https?$/ }),
  /** JSON with username and password, mode 0600. */
  credentials_file: z.string().min(1),
  /** PEM of who signed its certificate. Absent: whom this host trusts. */
  ca_file: z.string().min(1).optional(),
  datacenter: name,
  /** Inventory paths below the datacenter. */
  resource_pool: name,
  network: name,
  datastore: name,
  /** Where our files are on the datastore. */
  folder: z
    .string()
    .regex(/^[\w.-]+(\/[\w.-]+)*$/)
    .default('unik'),
  addresses: addressPoolSchema,
});
export type VSphereConfig = z.output<typeof vsphereConfigSchema>;

export const vsphereCredentialsSchema = z.object({ username: name, password: name });

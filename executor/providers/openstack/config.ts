import { z } from 'zod';

const name = z.string().min(1);

/** What the metadata of a server may hold. */
const metadata = z.record(z.string().regex(/^[\w.: -]{1,255}$/), z.string().max(255));

/** `provider_options.openstack`. What clouds.yaml says too is taken from there where it is absent here. */
export const openstackConfigSchema = z.strictObject({
  /** A clouds.yaml, or the content of its `auth` alone, as YAML or JSON; mode 0600. */
  credentials_file: name,
  /** Which of clouds.yaml; needed where it has several. */
  cloud: name.optional(),
  /** Of Keystone, such as `https://keystone.example.org:5000/v3`. */
  auth_url: z.url({ protocol: /^https?$/ }).optional(),
  region_name: name.optional(),
  interface: z.enum(['public', 'internal', 'admin']).optional(),
  /** PEM of who signed the services' certificates. Absent: whom this host trusts. */
  ca_file: name.optional(),
  /** Name or id. The cell must reach its addresses. */
  network: name,
  /** Names or ids. They must let the cell in: to the applications' ports, and to port 9967 of the guest. */
  security_groups: z.array(name).min(1),
  /** Names or ids of those that may be taken; the smallest that is large enough is. Absent: all that have a disk. */
  flavors: z.array(name).min(1).optional(),
  availability_zone: name.optional(),
  /** Id of a server group, such as one that spreads machines over hosts. */
  server_group: name.optional(),
  /** `raw` where images are kept in Ceph, which makes copies of nothing else. */
  image_format: z.enum(['qcow2', 'raw']).default('qcow2'),
  /** Further properties of images, such as what a scheduler wants to see. */
  image_properties: z.record(z.string().min(1), z.string()).default({}),
  /** Further metadata of servers, such as a cost centre. */
  metadata: metadata.default({}),
});
export type OpenStackConfig = z.output<typeof openstackConfigSchema>;

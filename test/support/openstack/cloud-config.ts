import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openstackConfigSchema, type OpenStackConfig } from '../../../executor/providers/openstack/config.js';
import { PASSWORD } from './keystone.js';
import type { OpenStackPeer } from './peer.js';

/** Credentials of the double's user in a clouds.yaml below `dir`, and a configuration that names it. */
export async function cloudConfig(
  dir: string,
  peer: OpenStackPeer,
  more: Partial<OpenStackConfig> = {},
): Promise<OpenStackConfig> {
  const file = join(dir, 'clouds.yaml');
  const lines = [
    ...['clouds:', '  apps:', '    auth:', `      auth_url: ${peer.auth_url}`, '      username: unik'],
    ...[
      `      password: ${PASSWORD}`,
      '      user_domain_id: default',
      '      project_name: apps',
      '      project_domain_id: default',
    ],
    ...['    region_name: RegionOne', '    interface: public', '    identity_api_version: 3'],
  ];
  await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  return openstackConfigSchema.parse({
    credentials_file: file,
    network: 'apps',
    security_groups: ['let-the-cell-in'],
    ...more,
  });
}

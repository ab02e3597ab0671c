/** What a platform has at its first start, and what every start brings up to date. Rows that the user changed stay. */
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import type { Cc } from './cc/cc.js';
import { noMetadata, type Buildpack } from './cc/model.js';
import { noLimits } from './cc/resources/quotas.js';
import type { Tx } from './cc/store.js';

/** The usual names, so that manifests made for other foundations go on working: each is our buildpack. */
const BUILDPACKS = [
  ...['unik_buildpack', 'staticfile_buildpack', 'java_buildpack', 'ruby_buildpack', 'nodejs_buildpack', 'go_buildpack'],
  ...['python_buildpack', 'php_buildpack', 'dotnet_core_buildpack', 'nginx_buildpack', 'binary_buildpack'],
];

export async function seed(cc: Cc, shipped: { buildpack: string }): Promise<void> {
  seedPlaces(cc);
  await seedBuildpacks(cc, shipped.buildpack);
  await cc.store.settled();
}

function seedPlaces({ store, config }: Cc): void {
  store.change((tx) => {
    if (store.quota.size === 0) tx.insert('quota', { name: 'default', org_guid: null, ...noLimits() });
    if (store.isolation_segment.size === 0)
      tx.insert('isolation_segment', { name: 'shared', org_guids: [], metadata: noMetadata() });
    if (store.security_group.size === 0)
      tx.insert('security_group', {
        ...{ name: 'public_networks', rules: [{ protocol: 'all', destination: '0.0.0.0-255.255.255.255' }] },
        ...{ globally_running: true, globally_staging: true, running_spaces: [], staging_spaces: [] },
      });
    if (!store.domain.find(({ name }) => name === config.apps_domain)) seedDomain(tx, config.apps_domain);
    if (store.org.size === 0) {
      const quota_guid = store.quota.all()[0]?.guid ?? '';
      const metadata = noMetadata();
      const org = tx.insert('org', {
        ...{ name: 'unik', suspended: false, quota_guid, isolation_segment_guid: null, metadata },
      });
      tx.insert('space', {
        ...{ name: 'dev', org_guid: org.guid, quota_guid: null, isolation_segment_guid: null, allow_ssh: true },
        metadata: noMetadata(),
      });
    }
  });
}

const seedDomain = (tx: Tx, name: string): void =>
  void tx.insert('domain', {
    ...{ name, internal: false, router_group: null, org_guid: null, shared_org_guids: [], metadata: noMetadata() },
  });

/** A row that still has bits of ours gets the newest; a user's own upload stays. */
async function seedBuildpacks({ store, blobs }: Cc, path: string): Promise<void> {
  const held = await blobs.put(createReadStream(path), Infinity);
  try {
    const { sha256, bytes } = held;
    const filename = basename(path);
    const bits: Partial<Buildpack> = { sha256, bytes, filename, state: 'READY' };
    const isNew = store.buildpack.size === 0;
    store.change((tx) => {
      for (const row of store.buildpack.filter((one) => /^unik_buildpack-/.test(one.filename ?? '')))
        if (row.sha256 !== sha256) tx.update('buildpack', row.guid, bits);
      if (!isNew) return;
      BUILDPACKS.forEach((name, at) =>
        tx.insert('buildpack', {
          ...{ name, stack: null, position: at + 1, enabled: true, locked: false, lifecycle: 'buildpack' },
          ...{ state: 'READY', filename, sha256, bytes, metadata: noMetadata() },
        }),
      );
    });
    await store.settled();
  } finally {
    held.release();
  }
}

/** Begins the staging of a package. */
import type { Caller } from '../access.js';
import type { Cc } from '../cc.js';
import { cfError, invalid } from '../errors.js';
import { choiceOf } from '../diego/gather.js';
import { stagingUsage } from '../events.js';
import { noMetadata, type Build, type Metadata, type Package } from '../model.js';
import type { Tx } from '../store.js';
import { needFlag } from '../resources/feature-flags.js';
import { lifecycleOf, recordApp, type LifecycleOrder } from './apps.js';

export interface BuildOrder {
  package: Package;
  lifecycle?: LifecycleOrder | undefined;
  staging_memory_in_mb?: number | undefined;
  staging_disk_in_mb?: number | undefined;
  staging_log_rate_limit_bytes_per_second?: number | undefined;
  metadata?: Metadata;
}

/** Throws 400 for a package without bits, 422 while another build of the app goes on or nothing can stage it. */
export function createBuild(cc: Cc, tx: Tx, caller: Caller, order: BuildOrder): Build {
  const { store, config } = cc;
  const row = order.package;
  const app = store.app.get(row.app_guid);
  if (!app) throw invalid('Unable to use package. Ensure that the package exists and you have access to it.');
  if (row.state !== 'READY') throw cfError('BadRequest', 'Bad request: Cannot stage package whose state is not ready.');
  if (store.build.find((one) => one.app_guid === app.guid && one.state === 'STAGING'))
    throw cfError('StagingInProgress');
  const lifecycle = lifecycleOf(store, app.lifecycle, order.lifecycle ?? {});
  if (lifecycle.type === 'docker') {
    needFlag(store, 'diego_docker', false);
    throw cfError('NotImplemented', 'Docker images do not run as unikernels: push the application itself.');
  }
  if (lifecycle.type === 'cnb') {
    needFlag(store, 'diego_cnb', false);
    throw cfError('NotImplemented', 'Cloud Native Buildpacks are not supported here: push without --lifecycle cnb.');
  }
  const stack = store.stack.find(({ name }) => name === lifecycle.data.stack);
  if (!stack) throw invalid('Stack must be an existing stack');
  if (choiceOf(store, stack, lifecycle.data.buildpacks).length === 0) throw cfError('NoBuildpacksFound');
  const { staging_memory_mb, staging_disk_mb, log_rate_limit } = config.defaults;
  const build = tx.insert('build', {
    ...{ app_guid: app.guid, package_guid: row.guid, state: 'STAGING', error: null, droplet_guid: null, lifecycle },
    staging_memory_in_mb: order.staging_memory_in_mb ?? staging_memory_mb,
    staging_disk_in_mb: order.staging_disk_in_mb ?? staging_disk_mb,
    staging_log_rate_limit_bytes_per_second: order.staging_log_rate_limit_bytes_per_second ?? log_rate_limit,
    created_by: { guid: caller.guid, name: caller.name, email: caller.email },
    metadata: order.metadata ?? noMetadata(),
  });
  stagingUsage(tx, store, build, 'STAGING_STARTED');
  recordApp(cc, tx, caller, 'audit.app.build.create', app, { build_guid: build.guid, package_guid: row.guid });
  return build;
}

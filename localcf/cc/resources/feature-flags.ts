import { z } from 'zod';
import type { Cc } from '../cc.js';
import { cfError, invalid } from '../errors.js';
import { get, patch, type Route } from '../http.js';
import { list } from '../list.js';
import type { FeatureFlag } from '../model.js';
import { link } from '../present.js';
import type { Store } from '../store.js';

/** CC's flags and their defaults (its feature_flag.rb), but Docker images are not run here. */
export const FLAGS: Record<string, boolean> = {
  ...{ app_bits_upload: true, app_scaling: true, diego_docker: false, diego_cnb: false, env_var_visibility: true },
  ...{ hide_marketplace_from_unauthenticated_users: false, private_domain_creation: true, resource_matching: true },
  ...{ route_creation: true, route_sharing: false, service_instance_creation: true, service_instance_sharing: false },
  ...{
    set_roles_by_username: true,
    space_developer_env_var_visibility: true,
    space_scoped_private_broker_creation: true,
  },
  ...{ task_creation: true, unset_roles_by_username: true, user_org_creation: false },
};

export const flagEnabled = (store: Store, name: string): boolean =>
  store.feature_flag.get(name)?.enabled ?? FLAGS[name] ?? false;

/** Throws 403 where the flag is off. Administrators pass, as in CC. */
export function needFlag(store: Store, name: string, isAdmin: boolean): void {
  if (isAdmin || flagEnabled(store, name)) return;
  throw cfError('FeatureDisabled', store.feature_flag.get(name)?.custom_error_message ?? name);
}

const updateSchema = z.strictObject({
  enabled: z.boolean().optional(),
  custom_error_message: z.string().max(250).nullish(),
});

export function featureFlagRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const row = (name: string): FeatureFlag => {
    if (!Object.hasOwn(FLAGS, name)) throw cfError('ResourceNotFound', 'Feature flag not found');
    const enabled = FLAGS[name] ?? false;
    const none = { guid: name, seq: 0, created_at: '', updated_at: '', enabled, custom_error_message: null };
    return store.feature_flag.get(name) ?? none;
  };
  const present = ({ guid, enabled, custom_error_message, updated_at }: FeatureFlag): object => ({
    name: guid,
    enabled,
    updated_at: updated_at === '' ? null : updated_at,
    custom_error_message,
    links: { self: link(cc, `/v3/feature_flags/${guid}`) },
  });

  return [
    get('/v3/feature_flags', (call) =>
      list(call, Object.keys(FLAGS).sort().map(row), {
        default_order: 'name',
        order: { name: ({ guid }) => guid },
        present,
      }),
    ),
    get('/v3/feature_flags/:name', ({ params }) => present(row(params['name'] ?? ''))),
    patch('/v3/feature_flags/:name', (call) => {
      const { guid, ...before } = row(call.params['name'] ?? '');
      call.access.toAdmin();
      const { enabled = before.enabled, custom_error_message = before.custom_error_message } = call.parse(updateSchema);
      if (enabled && guid === 'diego_docker')
        throw invalid('Docker images are not run on this platform: machines are made from droplets.');
      if (enabled && guid === 'diego_cnb') throw invalid('Cloud Native Buildpacks are not run on this platform.');
      const patched = { enabled, custom_error_message };
      const kept = store.change((tx) =>
        store.feature_flag.get(guid)
          ? tx.update('feature_flag', guid, patched)
          : tx.insert('feature_flag', { guid, ...patched }),
      );
      return present(kept);
    }),
  ];
}

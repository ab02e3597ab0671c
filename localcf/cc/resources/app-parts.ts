/** What hangs on an app and is no list of rows: environment, features, permissions. */
import { z } from 'zod';
import { recordApp } from '../actions/apps.js';
import type { Cc } from '../cc.js';
import { appFacts } from '../diego/gather.js';
import { notFound } from '../errors.js';
import { get, patch, type Route } from '../http.js';
import type { App } from '../model.js';
import { link } from '../present.js';
import { vcapApplication, vcapServices } from '../recipes/environment.js';
import { appOf } from './apps.js';
import { needFlag } from './feature-flags.js';
import { environmentPatch, patched } from './shapes.js';

const FEATURES: Record<keyof App['features'], string> = {
  ssh: 'Enable SSHing into the app.',
  revisions: 'Enable versioning of an application',
  'service-binding-k8s': 'Enable k8s service bindings for the app',
  'file-based-vcap-services': 'Enable file-based VCAP service bindings for the app',
};
const isFeature = (name: string): name is keyof App['features'] => Object.hasOwn(FEATURES, name);

export function appPartRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const variables = (app: App): object => ({
    var: app.environment,
    links: { self: link(cc, `/v3/apps/${app.guid}/environment_variables`), app: link(cc, `/v3/apps/${app.guid}`) },
  });
  const feature = (app: App, name: string): object => {
    if (!isFeature(name)) throw notFound('Feature');
    return { name, description: FEATURES[name], enabled: app.features[name] };
  };

  return [
    get('/v3/apps/:guid/env', (call) => {
      const app = appOf(cc, call, 'secrets');
      needFlag(store, 'env_var_visibility', call.access.admin);
      needFlag(store, 'space_developer_env_var_visibility', call.access.admin);
      const facts = appFacts(store, app, 'running');
      const web = store.process.find((one) => one.app_guid === app.guid && one.type === 'web');
      const limits = web ? { memory_in_mb: web.memory_in_mb, disk_in_mb: web.disk_in_mb } : {};
      return {
        staging_env_json: store.env_group.get('staging')?.var ?? {},
        running_env_json: store.env_group.get('running')?.var ?? {},
        environment_variables: app.environment,
        system_env_json: { VCAP_SERVICES: facts ? vcapServices(facts.bound) : {} },
        application_env_json: {
          VCAP_APPLICATION: facts ? vcapApplication(facts, { api_url: cc.config.api_url, ...limits }) : {},
        },
      };
    }),
    get('/v3/apps/:guid/environment_variables', (call) => variables(appOf(cc, call, 'secrets'))),
    patch('/v3/apps/:guid/environment_variables', (call) => {
      const app = appOf(cc, call, 'develop');
      const body = call.parse(z.strictObject({ var: environmentPatch }));
      const updated = store.change((tx) => {
        const environment = patched(app.environment, body.var);
        recordApp(cc, tx, call.caller, 'audit.app.update', app, {
          request: { environment_variables: '[PRIVATE DATA HIDDEN]' },
        });
        return tx.update('app', app.guid, { environment });
      });
      cc.diego.say(app, `Updated app with guid ${app.guid}`);
      return variables(updated);
    }),

    get('/v3/apps/:guid/features', (call) => {
      const app = appOf(cc, call);
      return { resources: Object.keys(FEATURES).map((name) => feature(app, name)), pagination: {} };
    }),
    get('/v3/apps/:guid/features/:name', (call) => feature(appOf(cc, call), call.params['name'] ?? '')),
    patch('/v3/apps/:guid/features/:name', (call) => {
      const app = appOf(cc, call, 'develop');
      const name = call.params['name'] ?? '';
      feature(app, name);
      const { enabled } = call.parse(z.strictObject({ enabled: z.boolean() }));
      return feature(
        store.change((tx) => tx.update('app', app.guid, { features: { ...app.features, [name]: enabled } })),
        name,
      );
    }),
    get('/v3/apps/:guid/ssh_enabled', (call) => {
      const app = appOf(cc, call);
      if (cc.config.ssh === null) return { enabled: false, reason: 'Disabled globally' };
      if (store.space.get(app.space_guid)?.allow_ssh === false) return { enabled: false, reason: 'Disabled for space' };
      return app.features.ssh ? { enabled: true, reason: '' } : { enabled: false, reason: 'Disabled for app' };
    }),
    get('/v3/apps/:guid/permissions', (call) => {
      const app = appOf(cc, call);
      return { read_basic_data: true, read_sensitive_data: call.access.seesSecretsOf(app.space_guid) };
    }),
  ];
}

import { stringify } from 'yaml';
import { applyManifest, naming } from '../actions/apply-manifest.js';
import { createApp, refuseTaken } from '../actions/apps.js';
import type { Caller } from '../access.js';
import type { Cc } from '../cc.js';
import { cfError, invalid } from '../errors.js';
import { mappingsOf, boundOf } from '../diego/gather.js';
import { created, custom, get, jobReply, post, type Call, type Route } from '../http.js';
import { diffManifest } from '../manifest/diff.js';
import { parseManifest, readManifest } from '../manifest/parse.js';
import type { AppPart } from '../manifest/part.js';
import { appManifest } from '../manifest/show.js';
import type { App, Space } from '../model.js';
import { appOf } from './apps.js';

interface Input {
  parts: AppPart[];
  caller: { guid: string; name: string; email: string; client_id: string };
}

export function manifestRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const appNamed = (space: Space, name: string): App | undefined =>
    store.app.find((one) => one.space_guid === space.guid && one.name.toLowerCase() === name.toLowerCase());
  const shown = (app: App): Record<string, unknown> =>
    appManifest({
      app,
      processes: store.process.filter((one) => one.app_guid === app.guid),
      mappings: mappingsOf(store, app.guid),
      bound: boundOf(store, app.guid),
      sidecars: store.sidecar.filter((one) => one.app_guid === app.guid),
    });
  const refuseOther = (call: Call): void => {
    const type = call.request.headers['content-type'] ?? '';
    if (!/ya?ml/i.test(type)) throw cfError('BadRequest', 'Bad request: Content-Type must be yaml');
  };

  return [
    post('/v3/spaces/:guid/manifest_diff', (call) => {
      const space = call.access.toDevelop(call.params['guid'] ?? '');
      refuseOther(call);
      const diff = diffManifest(readManifest(call.body), (name) => {
        const app = appNamed(space, name);
        return app && shown(app);
      });
      return created({ diff });
    }),
    post('/v3/spaces/:guid/actions/apply_manifest', async (call) => {
      const space = call.access.toDevelop(call.params['guid'] ?? '');
      refuseOther(call);
      const parts = parseManifest(call.body);
      const names = parts.map(({ name }) => name.toLowerCase());
      const twice = parts.find(({ name }, at) => names.indexOf(name.toLowerCase()) !== at);
      if (twice) throw invalid(`For application '${twice.name}': Name must be unique within the manifest`);
      const { guid, name, email, client_id } = call.caller;
      // Apps are there before the answer: the CLI looks for them at once.
      const { job, made } = store.change((tx) => {
        const made = parts.map((part) => naming(part.name, () => skeleton(cc, tx, call.caller, space, part)));
        const input: Input = { parts, caller: { guid, name, email, client_id } };
        return { job: cc.jobs.enqueue('space.apply_manifest', space.guid, input, tx), made };
      });
      for (const app of made) if (app) cc.diego.say(app, `Created app with guid ${app.guid}`);
      await cc.jobs.ended(job, 2_000);
      return jobReply(cc, job);
    }),
    get('/v3/apps/:guid/manifest', (call) => {
      const app = appOf(cc, call, 'secrets');
      return custom({
        status: 200,
        headers: { 'content-type': 'application/x-yaml' },
        body: `---\n${stringify({ applications: [shown(app)] })}`,
      });
    }),
  ];

  function skeleton(
    of: Cc,
    tx: Parameters<Parameters<typeof store.change>[0]>[0],
    caller: Caller,
    space: Space,
    part: AppPart,
  ): App | undefined {
    const known = appNamed(space, part.name);
    const type = part.lifecycle ?? 'buildpack';
    if (known) {
      if (part.lifecycle !== undefined && known.lifecycle.type !== part.lifecycle) {
        throw invalid(`Lifecycle type cannot be changed from ${known.lifecycle.type} to ${part.lifecycle}`);
      }
      if (known.lifecycle.type === 'docker' && part.buildpacks !== undefined) {
        throw invalid('Buildpacks cannot be configured for a docker lifecycle app.');
      }
      return undefined;
    }
    refuseTaken(store, part.name, space.guid);
    return createApp(of, tx, caller, {
      ...{ name: part.name, space },
      lifecycle:
        type === 'docker'
          ? { type }
          : {
              type,
              data: {
                ...(part.stack === undefined ? {} : { stack: part.stack }),
                ...(part.buildpacks === undefined ? {} : { buildpacks: part.buildpacks }),
              },
            },
    });
  }
}

export function manifestJobs(cc: Cc): void {
  const { store, jobs } = cc;
  jobs.define('space.apply_manifest', async ({ resource_guid: space_guid, input }) => {
    const { parts, caller } = input as Input;
    const by: Caller = { ...caller, scopes: new Set() };
    store.change((tx) => {
      for (const part of parts) {
        const app = store.app.find(
          (one) => one.space_guid === space_guid && one.name.toLowerCase() === part.name.toLowerCase(),
        );
        if (!app) throw invalid(`For application '${part.name}': The app was deleted while its manifest was applied`);
        naming(part.name, () => applyManifest(cc, tx, by, app.guid, part));
        cc.diego.say(app, `Applied manifest to app with guid ${app.guid}`);
      }
    });
  });
}

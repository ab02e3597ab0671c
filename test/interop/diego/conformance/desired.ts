import { expect } from '@jest/globals';
import type { Sent } from '../../../../backend/wire/codec.js';
import type { DesiredLRP } from './bench.js';
import type { Case } from './case.js';

const MODEL = 'bbs models/desired_lrp.go Validate';
const DB = 'bbs db/sqldb/desired_lrp_db.go';
const NOT_FOUND = { type: 'ResourceNotFound', message: 'the requested resource could not be found' };

/** What is wrong with a desired LRP, and what the BBS says of it. */
const INVALID: [what: string, over: Sent<DesiredLRP>, message: string][] = [
  ['a guid with a space', { process_guid: 'a b' }, 'Invalid field: process_guid'],
  ['no domain', { domain: '' }, 'Invalid field: domain'],
  ['no root file system', { root_fs: '' }, 'Invalid field: rootfs'],
  ['a root file system without scheme', { root_fs: 'cflinuxfs4' }, 'Invalid field: rootfs'],
  ['fewer than no instances', { instances: -1 }, 'Invalid field: instances'],
  ['negative memory', { memory_mb: -1 }, 'Invalid field: memory_mb'],
  ['negative disk', { disk_mb: -1 }, 'Invalid field: disk_mb'],
  ['a negative limit of processes', { max_pids: -1 }, 'Invalid field: max_pids'],
  ['a user of the image without password', { image_username: 'u' }, 'Invalid field: image_password'],
  ['a password of the image without user', { image_password: 'p' }, 'Invalid field: image_username'],
  ['an annotation over 10 KiB', { annotation: 'x'.repeat(10 * 1_024 + 1) }, 'Invalid field: annotation'],
  ['an action without content', { action: {} }, 'Invalid field: action'],
  ['a run without user', { action: { run_action: { path: '/a' } } }, 'Invalid field: user'],
  ['no metric tag', { metric_tags: {} }, 'Invalid field: metric_tags'],
  [
    'another source_id than its metrics guid',
    { metric_tags: { source_id: { static: 'other' } } },
    'Invalid field: metric_tags, Invalid field: source_id should match metrics_guid',
  ],
  ['a tag of neither kind', { metrics_guid: '', metric_tags: { a: {} } }, 'Invalid field: metric_tags'],
];

export const desiredCases: Case[] = [
  ...INVALID.map(([what, over, message]): Case => ({
    name: `a desired LRP with ${what} is refused`,
    fact: MODEL,
    on: 'quiet',
    async steps(t) {
      const desired_lrp = { ...t.lrp(), ...over };
      const refusal = await t.refusal(t.bbs.call('desire_lrp', { desired_lrp }));
      expect(refusal.type).toBe('InvalidRequest');
      expect(refusal.message).toContain(message);
    },
  })),
  {
    name: 'the same process is desired once',
    fact: `ResourceExists (${DB})`,
    on: 'quiet',
    async steps(t) {
      const process_guid = await t.desire();
      expect(await t.refusal(t.desire({ process_guid, instances: 5 }))).toEqual({
        type: 'ResourceExists',
        message: 'the requested resource already exists',
      });
      const { desired_lrp } = await t.bbs.call('desired_lrp', { process_guid });
      expect(desired_lrp?.instances).toBe(1);
    },
  },
  {
    name: 'what was never desired can neither be read, updated nor removed',
    fact: `ResourceNotFound (${DB})`,
    on: 'quiet',
    async steps(t) {
      const process_guid = t.name('none');
      expect(await t.refusal(t.bbs.call('desired_lrp', { process_guid }))).toEqual(NOT_FOUND);
      expect(await t.refusal(t.bbs.call('desired_lrp_r2', { process_guid }))).toEqual(NOT_FOUND);
      expect(await t.refusal(t.bbs.call('scheduling_info', { process_guid }))).toEqual(NOT_FOUND);
      expect(await t.refusal(t.bbs.call('remove_lrp', { process_guid }))).toEqual(NOT_FOUND);
      const update = t.bbs.call('update_lrp', { process_guid, update: { annotation: 'a' } });
      expect(await t.refusal(update)).toEqual(NOT_FOUND);
    },
  },
  {
    name: 'an update changes what it names, and counts',
    fact: `modification_tag.index + 1, epoch kept (${DB} UpdateDesiredLRP)`,
    on: 'quiet',
    async steps(t) {
      const routes = { routes: { 'cf-router': Buffer.from('[{"hostnames":["a"],"port":8080}]') } };
      const process_guid = await t.desire({ annotation: 'first', routes });
      const before = (await t.bbs.call('desired_lrp', { process_guid })).desired_lrp;
      await t.bbs.call('update_lrp', { process_guid, update: { annotation: 'second' } });
      const after = (await t.bbs.call('desired_lrp', { process_guid })).desired_lrp;
      expect(before?.modification_tag?.index).toBe(0);
      expect(after).toEqual({
        ...before,
        annotation: 'second',
        modification_tag: { epoch: before?.modification_tag?.epoch, index: 1 },
      });
    },
  },
  {
    name: 'an update to negative instances is refused',
    fact: 'Invalid field: instances (bbs models/desired_lrp.go DesiredLRPUpdate.Validate)',
    on: 'quiet',
    async steps(t) {
      const process_guid = await t.desire();
      expect(await t.refusal(t.bbs.call('update_lrp', { process_guid, update: { instances: -1 } }))).toEqual({
        type: 'InvalidRequest',
        message: 'Invalid field: instances',
      });
    },
  },
  {
    name: 'routes are bytes and come back as they went',
    fact: 'ProtoRoutes is map<string, bytes> (bbs models/desired_lrp.proto)',
    on: 'quiet',
    async steps(t) {
      const json = Buffer.from('[{"hostnames":["ä.example"],"port":8080,"n":12345678901234567890}]');
      const process_guid = await t.desire({ routes: { routes: { 'cf-router': json } } });
      const { desired_lrp } = await t.bbs.call('desired_lrp', { process_guid });
      expect(Buffer.from(desired_lrp?.routes?.routes['cf-router'] ?? [])).toEqual(json);
    },
  },
  {
    name: 'what is desired without routes reads back with an empty message of them',
    fact: `Routes is stored as JSON and always built (${DB})`,
    on: 'quiet',
    async steps(t) {
      const process_guid = await t.desire();
      const { desired_lrp } = await t.bbs.call('desired_lrp', { process_guid });
      expect(desired_lrp?.routes).toEqual({ routes: {} });
      const { desired_lrp_scheduling_info } = await t.bbs.call('scheduling_info', { process_guid });
      expect(desired_lrp_scheduling_info?.routes).toEqual({ routes: {} });
    },
  },
  {
    name: 'desired LRPs are listed by domain and by guid',
    fact: `filters of DesiredLRPsRequest (${DB} DesiredLRPs)`,
    on: 'quiet',
    async steps(t) {
      const [one, two] = [await t.desire(), await t.desire()];
      const guids = async (request: { domain?: string; process_guids?: string[] }): Promise<string[]> =>
        (await t.bbs.call('desired_lrps', request)).desired_lrps.map(({ process_guid }) => process_guid).sort();
      expect(await guids({ domain: t.domain })).toEqual([one, two]);
      expect(await guids({ process_guids: [two, 'none'] })).toEqual([two]);
      expect(await guids({ domain: 'another', process_guids: [two] })).toEqual([]);
    },
  },
  {
    name: 'scheduling infos hold what placement and CC need',
    fact: 'DesiredLRPSchedulingInfo (bbs models/desired_lrp.go DesiredLRPSchedulingInfo())',
    on: 'quiet',
    async steps(t) {
      const process_guid = await t.desire({
        annotation: 'note',
        instances: 0,
        placement_tags: ['p'],
        routes: { routes: { a: Buffer.from('{}') } },
        volume_mounts: [
          { driver: 'd1', container_dir: '/d', mode: 'rw', shared: { volume_id: 'v', mount_config: '{}' } },
        ],
      });
      const { desired_lrp_scheduling_infos } = await t.bbs.call('scheduling_infos', { domain: t.domain });
      expect(desired_lrp_scheduling_infos).toEqual([
        {
          desired_lrp_key: { process_guid, domain: t.domain, log_guid: `log-${process_guid}` },
          annotation: 'note',
          instances: 0,
          desired_lrp_resource: { memory_mb: 64, disk_mb: 64, root_fs: `preloaded:${t.stack}`, max_pids: 10 },
          routes: { routes: { a: Buffer.from('{}') } },
          modification_tag: { epoch: expect.stringMatching(/.+/) as unknown, index: 0 },
          volume_placement: { driver_names: ['d1'] },
          placement_tags: ['p'],
        },
      ]);
      const { desired_lrp_scheduling_info } = await t.bbs.call('scheduling_info', { process_guid });
      expect(desired_lrp_scheduling_info).toEqual(desired_lrp_scheduling_infos[0]);
    },
  },
  {
    name: 'routing infos hold what a route emitter needs, and no action',
    fact: `a partial DesiredLRP (${DB} DesiredLRPRoutingInfos)`,
    on: 'quiet',
    async steps(t) {
      const routes = { routes: { 'cf-router': Buffer.from('[]') } };
      const process_guid = await t.desire({
        routes,
        metrics_guid: '',
        metric_tags: { app: { static: 'x' } },
        instances: 2,
      });
      const { desired_lrps } = await t.bbs.call('routing_infos', { process_guids: [process_guid] });
      expect(desired_lrps).toMatchObject([
        {
          process_guid,
          domain: t.domain,
          log_guid: `log-${process_guid}`,
          instances: 2,
          routes,
          root_fs: '',
          memory_mb: 0,
        },
      ]);
      expect(desired_lrps[0]?.metric_tags['app']?.static).toBe('x');
      expect(desired_lrps[0]?.action).toBeUndefined();
    },
  },
  {
    name: 'a metrics guid is taken from the tag source_id',
    fact: 'PopulateMetricsGuid (bbs models/desired_lrp.go)',
    on: 'quiet',
    async steps(t) {
      const process_guid = await t.desire({ metrics_guid: '', metric_tags: { source_id: { static: 'm2' } } });
      const { desired_lrp } = await t.bbs.call('desired_lrp', { process_guid });
      expect(desired_lrp?.metrics_guid).toBe('m2');
    },
  },
  {
    name: 'routes over 128 KiB are refused',
    fact: 'maximumRouteLength (bbs models/desired_lrp.go)',
    on: 'quiet',
    async steps(t) {
      const routes = { routes: { a: Buffer.from(JSON.stringify('x'.repeat(128 * 1_024))) } };
      expect(await t.refusal(t.desire({ routes }))).toMatchObject({ type: 'InvalidRequest' });
    },
  },
  {
    name: 'a read by version 2 turns image layers into downloads and cached dependencies',
    fact: 'downgradeDesiredLRPV3ToV2 (bbs models/desired_lrp.go)',
    on: 'quiet',
    async steps(t) {
      const layer = {
        destination_path: '/dest',
        media_type: 'TGZ',
        digest_algorithm: 'SHA256',
        digest_value: 'd'.repeat(64),
      } as const;
      const process_guid = await t.desire({
        setup: { run_action: { path: '/setup', user: 'vcap' } },
        legacy_download_user: 'vcap',
        cached_dependencies: [{ name: 'old', from: 'http://old', to: '/old', cache_key: 'old' }],
        image_layers: [
          { ...layer, name: 'shared', url: 'http://shared', layer_type: 'SHARED' },
          { ...layer, name: 'droplet', url: 'http://droplet', layer_type: 'EXCLUSIVE' },
        ],
      });
      const { desired_lrp: now } = await t.bbs.call('desired_lrp', { process_guid });
      const { desired_lrp: old } = await t.bbs.call('desired_lrp_r2', { process_guid });
      expect(now?.image_layers.map(({ name }) => name)).toEqual(['shared', 'droplet']);
      expect(now?.cached_dependencies.map(({ from }) => from)).toEqual(['http://old']);
      expect(old?.image_layers).toEqual([]);
      expect(old?.cached_dependencies.map(({ from, to, name }) => [name, from, to])).toEqual([
        ['shared', 'http://shared', '/dest'],
        ['old', 'http://old', '/old'],
      ]);
      const [downloads, setup] = old?.setup?.serial_action?.actions ?? [];
      expect(downloads?.parallel_action?.actions[0]?.download_action).toMatchObject({
        artifact: 'droplet',
        from: 'http://droplet',
        to: '/dest',
      });
      expect(setup?.run_action?.path).toBe('/setup');
      const { desired_lrps } = await t.bbs.call('desired_lrps_r2', { process_guids: [process_guid] });
      expect(desired_lrps).toEqual([old]);
    },
  },
];

import { beforeAll, afterAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../../../core/clock.js';
import { noMetadata } from '../../../../localcf/cc/model.js';
import { openStore, type Store } from '../../../../localcf/cc/store.js';
import { imageOf, pageApps, pageCells, type Facts } from '../../../../localcf/page/draw.js';
import type { ActualLRP } from '../../../../protos/generated.js';

const APP = 'a'.repeat(36);
const none = { interval: null, timeout: null, invocation_timeout: null, endpoint: null };
let store: Store;

beforeAll(async () => {
  store = await openStore({ folder: undefined, clock: systemClock });
  store.change((tx) => {
    const metadata = noMetadata();
    const org = tx.insert('org', {
      ...{ name: 'org', suspended: false, quota_guid: '', isolation_segment_guid: null, metadata },
    });
    const space = tx.insert('space', {
      ...{ name: 'dev', org_guid: org.guid, quota_guid: null, isolation_segment_guid: null, allow_ssh: true, metadata },
    });
    const row = { build_rootfs: 'unik', run_rootfs: 'unik', state: 'ACTIVE' as const, state_reason: null };
    tx.insert('stack', {
      ...{ name: 'unik', description: null, is_default: false, ...row },
      metadata: { labels: {}, annotations: { 'unik-provider': 'qemu' } },
    });
    const lifecycle = { type: 'buildpack' as const, data: { buildpacks: [], stack: 'unik' } };
    const buildpacks = [
      { name: 'unik', detect_output: null, buildpack_name: null, version: '0.1.0+linux.3f2a91c07d4e.2202010' },
    ];
    tx.insert('droplet', {
      ...{
        guid: 'droplet',
        app_guid: APP,
        package_guid: null,
        build_guid: null,
        state: 'STAGED',
        error: null,
        lifecycle,
      },
      ...{ stack: 'unik', image: null, execution_metadata: '', process_types: {}, sidecars: [], buildpacks },
      ...{ sha256: null, bytes: null, metadata },
    });
    tx.insert('app', {
      ...{ guid: APP, name: 'hello', space_guid: space.guid, state: 'STARTED', lifecycle, environment: {} },
      ...{ droplet_guid: 'droplet', revision_guid: null, metadata },
      features: { ssh: false, revisions: true, 'service-binding-k8s': false, 'file-based-vcap-services': false },
    });
    tx.insert('process', {
      ...{ guid: APP, app_guid: APP, type: 'web', command: null, user: null, instances: 2, memory_in_mb: 64 },
      ...{ disk_in_mb: 64, log_rate_limit_in_bytes_per_second: -1, health_check: { type: 'port', ...none } },
      ...{ readiness_health_check: { type: 'process', ...none }, version: 'v', revision_guid: null, metadata },
    });
    const domain = tx.insert('domain', {
      ...{ name: 'apps.test', internal: false, router_group: null, org_guid: null, shared_org_guids: [], metadata },
    });
    const route = tx.insert('route', {
      ...{
        space_guid: space.guid,
        domain_guid: domain.guid,
        host: 'hello',
        path: '/x',
        port: null,
        options: {},
        metadata,
      },
    });
    tx.insert('destination', {
      ...{ route_guid: route.guid, app_guid: APP, process_type: 'web', port: null, weight: null, protocol: 'http1' },
    });
  });
});
afterAll(() => store.close());

const lrp = (index: number, state: string, given: Partial<ActualLRP> = {}): ActualLRP => ({
  actual_lrp_key: { process_guid: `${APP}-v`, index, domain: 'cf-apps' },
  actual_lrp_instance_key: { instance_guid: `machine-${index}`, cell_id: 'cell-0' },
  ...{ crash_count: 0, crash_reason: '', state, placement_error: '', since: 5_000_000_000n, presence: 'ORDINARY' },
  ...{ actual_lrp_internal_routes: [], metric_tags: {}, availability_zone: '' },
  ...given,
});
const facts = (lrps: ActualLRP[]): Facts => ({
  ...{ store, lrps, router_url: 'http://127.0.0.1:8000' },
  boot_ms: (guid) => (guid === 'machine-0' ? 1_420 : null),
  memory_bytes: (_app, _process, index) => (index === 0 ? 23 : null),
});
const listOf = (lrps: ActualLRP[]) => pageApps(facts(lrps))[0]?.processes[0]?.list;

test('an app, with where it answers and what it was made into', () => {
  expect(pageApps(facts([]))).toMatchObject([
    {
      ...{ guid: APP, name: 'hello', place: 'org / dev', started: true, stack: 'unik', guest: 'linux' },
      ...{ provider: 'qemu', image: { digest: '3f2a91c07d4e', bytes: 2_202_010 }, staging: false },
      urls: ['http://hello.apps.test:8000/x'],
      processes: [{ type: 'web', instances: 2, memory_mb: 64 }],
    },
  ]);
});

describe('machines', () => {
  test('running, and one that is not there yet', () => {
    expect(listOf([lrp(0, 'RUNNING')])).toEqual([
      {
        ...{ index: 0, guid: 'machine-0', state: 'RUNNING', since: 5_000, boot_ms: 1_420, memory_bytes: 23 },
        ...{ cell: 'cell-0', details: null },
      },
      { index: 1, guid: null, state: 'DOWN', since: 0, boot_ms: null, memory_bytes: null, cell: null, details: null },
    ]);
  });

  test.each<[why: string, given: ActualLRP, expected: object]>([
    ['booting', lrp(0, 'CLAIMED'), { state: 'STARTING', boot_ms: null, memory_bytes: null }],
    [
      'no room',
      lrp(0, 'UNCLAIMED', { placement_error: 'insufficient memory' }),
      { state: 'DOWN', details: 'insufficient memory' },
    ],
    ['crashed', lrp(0, 'CRASHED', { crash_reason: 'Exit status 1' }), { state: 'CRASHED', details: 'Exit status 1' }],
  ])('%s', (_why, given, expected) => expect(listOf([given])?.[0]).toMatchObject(expected));

  test('one too many is shown while it is on its way out', () => {
    expect(listOf([lrp(2, 'RUNNING')])?.map(({ index, state }) => [index, state])).toEqual([
      [0, 'DOWN'],
      [1, 'DOWN'],
      [2, 'STOPPING'],
    ]);
  });

  test('of two at one index the newer counts', () => {
    const older = lrp(0, 'RUNNING', { actual_lrp_instance_key: { instance_guid: 'old', cell_id: 'c' }, since: 1n });
    expect(listOf([older, lrp(0, 'CLAIMED')])?.[0]?.guid).toBe('machine-0');
  });
});

test('cells, and what apps were promised of them', () => {
  const cell = {
    ...{ cell_id: 'cell-0', rep_address: '', zone: '', capacity: { memory_mb: 1_000, disk_mb: 1, containers: 1 } },
    ...{ placement_tags: [], optional_placement_tags: [], rep_url: '', annotations: {} },
    rootfs_providers: [
      { name: 'preloaded', properties: ['unik'] },
      { name: 'docker', properties: [] },
    ],
  };
  expect(pageCells([cell], [lrp(0, 'RUNNING'), lrp(1, 'RUNNING')], store)).toEqual([
    { id: 'cell-0', stacks: ['unik'], memory_mb: { total: 1_000, available: 872 } },
  ]);
});

test('a droplet that says nothing of its image', () => {
  expect(imageOf(undefined)).toBeUndefined();
  expect(
    imageOf({ buildpacks: [{ name: 'x', detect_output: null, buildpack_name: null, version: '1.0' }] }),
  ).toBeUndefined();
});

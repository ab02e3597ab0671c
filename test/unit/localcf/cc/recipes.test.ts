import { describe, expect, test } from '@jest/globals';
import { lrpOrder } from '../../../../backend/convert/desired-lrp.js';
import { DEFAULT_CONTEXT } from '../../../../backend/convert/context.js';
import { taskOrder } from '../../../../backend/convert/task.js';
import { decode, encode } from '../../../../backend/wire/codec.js';
import type { DesiredLRP, TaskDefinition } from '../../../../protos/generated.js';
import { desiredFaults, taskFaults } from '../../../../localcf/bbs/rules/validate-definition.js';
import { noMetadata } from '../../../../localcf/cc/model.js';
import { createPlaces, isSigned, sign } from '../../../../localcf/cc/diego/places.js';
import { appTask } from '../../../../localcf/cc/recipes/app-task.js';
import { annotationOf, desiredLrp, lrpUpdate, processOf } from '../../../../localcf/cc/recipes/desired-lrp.js';
import { databaseUrl, uriOf, vcapServices } from '../../../../localcf/cc/recipes/environment.js';
import type { ProcessFacts, StagingFacts } from '../../../../localcf/cc/recipes/facts.js';
import { egressRules } from '../../../../localcf/cc/recipes/parts.js';
import { routingInfo } from '../../../../localcf/cc/recipes/routes.js';
import { stagingTask } from '../../../../localcf/cc/recipes/staging-task.js';
import {
  anApp,
  aDroplet,
  aProcess,
  base,
  GUIDS,
  mapping,
  org,
  processFacts,
  space,
  stack,
} from '../../../support/cc/rows.js';

const key = Buffer.alloc(32, 7);
const places = createPlaces({
  api_url: 'http://api.test',
  internal_url: 'https://cc.test:9023',
  key,
  lifecycle_sha256: 'e'.repeat(64),
});

/** As the BBS and the cell see it. */
const lrpOf = (facts: ProcessFacts): DesiredLRP =>
  decode('models.DesiredLRP', encode('models.DesiredLRP', desiredLrp(facts, places)));
const taskOf = (definition: Parameters<typeof encode<'models.TaskDefinition'>>[1]): TaskDefinition =>
  decode('models.TaskDefinition', encode('models.TaskDefinition', definition));
const envOf = (lrp: DesiredLRP): Record<string, string> =>
  Object.fromEntries(
    (lrp.action?.codependent_action?.actions[0]?.run_action?.env ?? []).map(({ name, value }) => [name, value]),
  );
const groupOf = (rules: Record<string, unknown>[]) => ({
  ...base('group'),
  ...{ name: 'g', rules, globally_running: true, globally_staging: true, running_spaces: [], staging_spaces: [] },
});

describe('a DesiredLRP', () => {
  test('is what Cloud Controller sends for a buildpack app', () => {
    const lrp = lrpOf(processFacts());
    expect(desiredFaults({ ...lrp })).toEqual([]);
    expect(lrp).toMatchObject({
      process_guid: `${GUIDS.app}-${GUIDS.version}`,
      ...{ domain: 'cf-apps', root_fs: 'preloaded:unik', instances: 1, ports: [8080], log_source: 'CELL' },
      ...{ log_guid: GUIDS.app, metrics_guid: GUIDS.app, memory_mb: 128, disk_mb: 512, start_timeout_ms: 60_000n },
      ...{ cpu_weight: 1, max_pids: 1024, privileged: false, legacy_download_user: 'vcap' },
      environment_variables: [{ name: 'LANG', value: 'en_US.UTF-8' }],
      log_rate_limit: { bytes_per_second: 1_048_576n },
      certificate_properties: { organizational_unit: ['organization:org-1', 'space:space-1', `app:${GUIDS.app}`] },
      check_definition: { checks: [{ tcp_check: { port: 8080 } }], readiness_checks: [], log_source: 'HEALTH' },
    });
    const run = lrp.action?.codependent_action?.actions[0]?.run_action;
    expect(run).toMatchObject({
      path: '/tmp/lifecycle/launcher',
      args: ['app', './server --listen', ''],
      ...{ user: 'vcap', log_source: 'APP/PROC/WEB', resource_limits: { nofile: 16_384n } },
    });
    const [download] = lrp.setup?.serial_action?.actions ?? [];
    expect(download?.download_action).toMatchObject({
      ...{ artifact: 'droplet', to: '.', user: 'vcap', checksum_algorithm: 'sha256', checksum_value: 'a'.repeat(64) },
      cache_key: `droplets-${lrp.process_guid}`,
    });
  });

  test('is what our cell runs', () => {
    const order = lrpOrder(
      lrpOf(processFacts()),
      { process_guid: 'p', index: 0, domain: 'cf-apps' },
      'i',
      DEFAULT_CONTEXT,
    );
    expect(order.stack).toBe('unik');
    expect(order.launch).toMatchObject({
      command: { kind: 'start_command', text: './server --listen' },
      process_type: 'web',
    });
    expect(order.downloads).toEqual([expect.objectContaining({ artifact: 'droplet' })]);
  });

  test('tells the application where and what it is; its own variables go over the group', () => {
    const env = envOf(lrpOf(processFacts({ group: { TZ: 'UTC', COLOUR: 'red' } })));
    expect(env).toMatchObject({
      PORT: '8080',
      VCAP_APP_PORT: '8080',
      VCAP_APP_HOST: '0.0.0.0',
      TZ: 'UTC',
      COLOUR: 'green',
      MEMORY_LIMIT: '128m',
    });
    expect(JSON.parse(env['VCAP_APPLICATION'] ?? '')).toEqual({
      ...{
        cf_api: 'http://api.test',
        limits: { fds: 16_384, mem: 128, disk: 512 },
        application_name: 'shop',
        name: 'shop',
      },
      ...{ application_uris: ['shop.apps.test'], uris: ['shop.apps.test'], users: null, application_id: GUIDS.app },
      ...{ space_name: 'dev', space_id: 'space-1', organization_name: 'acme', organization_id: 'org-1' },
      ...{ process_id: GUIDS.app, process_type: 'web', version: GUIDS.version, application_version: GUIDS.version },
    });
  });

  test("carries every tag from the start, the instance's own as dynamic ones", () => {
    expect(lrpOf(processFacts()).metric_tags).toMatchObject({
      source_id: { static: GUIDS.app },
      process_type: { static: 'web' },
      organization_name: { static: 'acme' },
      instance_id: { dynamic: 'INDEX' },
      process_instance_id: { dynamic: 'INSTANCE_GUID' },
    });
  });

  test.each<[why: string, check: Partial<ReturnType<typeof aProcess>['health_check']>, expected: unknown]>([
    [
      'http',
      { type: 'http', endpoint: '/up', invocation_timeout: 3 },
      { http_check: { port: 8080, path: '/up', request_timeout_ms: 3_000n } },
    ],
    ['port', { type: 'port', interval: 9 }, { tcp_check: { port: 8080, interval_ms: 9_000n } }],
  ])('checks by %s', (_why, check, expected) => {
    const process = aProcess();
    const lrp = lrpOf(processFacts({ process: { ...process, health_check: { ...process.health_check, ...check } } }));
    expect(lrp.check_definition?.checks).toMatchObject([expected]);
    expect(lrp.monitor?.timeout_action?.action?.parallel_action?.actions).toHaveLength(1);
  });

  test('has no checks for a process that only has to run, and readiness beside that', () => {
    const process = aProcess();
    const none = { ...process, health_check: { ...process.health_check, type: 'process' as const } };
    expect(lrpOf(processFacts({ process: none })).check_definition).toBeUndefined();
    const ready = {
      ...none,
      readiness_health_check: { ...process.health_check, type: 'http' as const, endpoint: '/ready' },
    };
    const lrp = lrpOf(processFacts({ process: ready }));
    expect(lrp.monitor).toBeUndefined();
    expect(lrp.check_definition).toMatchObject({ checks: [], readiness_checks: [{ http_check: { path: '/ready' } }] });
  });

  test('another command, sidecars and an isolation segment', () => {
    const lrp = lrpOf(
      processFacts({
        process: aProcess({ command: 'own --command' }),
        sidecars: [
          {
            ...base('s'),
            app_guid: GUIDS.app,
            name: 'proxy',
            command: './proxy',
            process_types: ['web'],
            memory_in_mb: null,
          },
        ],
        isolation_segment: 'island',
      }),
    );
    const runs = (lrp.action?.codependent_action?.actions ?? []).map(({ run_action }) => [
      run_action?.args[1],
      run_action?.log_source,
    ]);
    expect(runs).toEqual([
      ['own --command', 'APP/PROC/WEB'],
      ['./proxy', 'APP/PROC/WEB/SIDECAR/PROXY'],
    ]);
    expect(lrp.placement_tags).toEqual(['island']);
  });

  test('a worker listens nowhere', () => {
    const lrp = lrpOf(processFacts({ process: aProcess({ type: 'worker', guid: 'w', command: './work' }) }));
    expect(lrp.ports).toEqual([]);
    expect(envOf(lrp)['PORT']).toBeUndefined();
  });

  test('an update has what may change; renaming changes the annotation', () => {
    const facts = processFacts();
    expect(Object.keys(lrpUpdate(facts)).sort()).toEqual(['annotation', 'instances', 'metric_tags', 'routes']);
    expect(annotationOf(facts)).toMatch(/^\d+\.\d{6}$/);
    expect(annotationOf(processFacts({ app: anApp({ name: 'other' }) }))).not.toBe(annotationOf(facts));
  });

  test('its process is found again', () => {
    expect(processOf(`${GUIDS.app}-${GUIDS.version}`)).toBe(GUIDS.app);
  });
});

describe('routes', () => {
  const at = { type: 'web', ports: [8080], isolation_segment: null };
  test('by router', () => {
    const http = mapping('shop.apps.test');
    const tcp = mapping('tcp.test');
    const inner = mapping('shop.apps.internal');
    const info = routingInfo(
      [
        http,
        {
          ...tcp,
          route: { ...tcp.route, host: '', port: 2000 },
          domain: { ...tcp.domain, name: 'tcp.test', router_group: 'g' },
        },
        { ...inner, domain: { ...inner.domain, internal: true } },
      ],
      at,
    );
    expect(info).toEqual({
      'cf-router': [
        {
          hostnames: ['shop.apps.test'],
          port: 8080,
          route_service_url: null,
          isolation_segment: null,
          protocol: 'http1',
        },
      ],
      'tcp-router': [{ router_group_guid: 'g', external_port: 2000, container_port: 8080 }],
      'internal-router': [{ hostname: 'shop.apps.internal' }],
    });
  });
  test('of another process type are not told', () => {
    expect(routingInfo([mapping('a.b')], { ...at, type: 'worker' })['cf-router']).toEqual([]);
  });
  test('with a path, a port of its own, options', () => {
    const one = mapping('shop.apps.test');
    const told = {
      ...one,
      route: { ...one.route, path: '/v1', options: { loadbalancing: 'least-connection' } },
      destination: { ...one.destination, port: 9000, protocol: 'http2' as const },
    };
    expect(uriOf(told)).toBe('shop.apps.test/v1');
    expect(routingInfo([told], at)['cf-router']).toMatchObject([
      {
        hostnames: ['shop.apps.test/v1'],
        port: 9000,
        protocol: 'http2',
        options: { loadbalancing: 'least-connection' },
      },
    ]);
  });
});

describe('services', () => {
  const bound = (credentials: Record<string, unknown>) => [
    {
      instance: {
        ...base('si'),
        ...{ type: 'user-provided' as const, name: 'db', space_guid: space.guid, credentials, syslog_drain_url: null },
        ...{ route_service_url: null, tags: ['sql'], metadata: noMetadata() },
        last_operation: { type: 'create' as const, state: 'succeeded' as const, description: '' },
      },
      binding: {
        ...base('sb'),
        ...{ type: 'app' as const, name: 'main', app_guid: GUIDS.app, service_instance_guid: 'si', credentials },
        ...{ syslog_drain_url: null, metadata: noMetadata() },
      },
    },
  ];
  test('are told by label', () => {
    expect(vcapServices(bound({ uri: 'x' }))).toEqual({
      'user-provided': [
        {
          ...{ label: 'user-provided', name: 'main', tags: ['sql'], instance_guid: 'si', instance_name: 'db' },
          ...{
            binding_guid: 'sb',
            binding_name: 'main',
            credentials: { uri: 'x' },
            syslog_drain_url: null,
            volume_mounts: [],
          },
        },
      ],
    });
    expect(vcapServices([])).toEqual({});
  });
  test.each([
    ['mysql://u:p@h/d', 'mysql2://u:p@h/d'],
    ['postgresql://h/d', 'postgres://h/d'],
    ['http://h', undefined],
    [7, undefined],
  ])('%s as a database is %s', (uri, expected) => {
    expect(databaseUrl(bound({ uri }))).toBe(expected);
  });
});

test.each([
  [{ protocol: 'tcp', destination: '10.0.0.0/8', ports: '80,443' }, { ports: [80, 443] }],
  [{ protocol: 'udp', destination: '1.1.1.1', ports: '1-100' }, { port_range: { start: 1, end: 100 } }],
  [{ protocol: 'icmp', destination: '0.0.0.0/0', type: 8, code: 0 }, { icmp_info: { type: 8, code: 0 } }],
])('a rule %o', (rule, expected) => {
  const [told] = egressRules([groupOf([rule])]);
  expect(told).toMatchObject({
    ...expected,
    destinations: [rule.destination],
    annotations: ['security_group_id:group'],
  });
});
test('logged rules come last', () => {
  const rules = [
    { protocol: 'all', destination: 'a', log: true },
    { protocol: 'all', destination: 'b' },
  ];
  expect(egressRules([groupOf(rules)]).map(({ destinations }) => destinations?.[0])).toEqual(['b', 'a']);
});

describe('a staging task', () => {
  const facts = (part: Partial<StagingFacts> = {}): StagingFacts => ({
    ...{ org, space, stack, app: anApp(), mappings: [], bound: [], security_groups: [], group: { STAGE: '1' } },
    build: {
      ...base('44444444-4444-4444-8444-444444444444'),
      ...{ app_guid: GUIDS.app, package_guid: 'pkg', state: 'STAGING', error: null, droplet_guid: null },
      lifecycle: { type: 'buildpack', data: { buildpacks: [], stack: 'unik' } },
      ...{ staging_memory_in_mb: 1024, staging_disk_in_mb: 2048, staging_log_rate_limit_bytes_per_second: -1 },
      ...{ created_by: { guid: 'u', name: 'admin', email: '' }, metadata: noMetadata() },
    },
    package: {
      ...base('pkg'),
      ...{
        app_guid: GUIDS.app,
        type: 'bits',
        state: 'READY',
        error: null,
        sha256: 'b'.repeat(64),
        bytes: 1,
        docker: null,
        metadata: noMetadata(),
      },
    },
    buildpacks: [],
    cache: undefined,
    isolation_segment: null,
    ...part,
  });
  const buildpack = {
    ...base('bp-guid'),
    ...{
      name: 'nodejs_buildpack',
      stack: null,
      position: 1,
      enabled: true,
      locked: false,
      lifecycle: 'buildpack' as const,
      state: 'READY' as const,
    },
    ...{ filename: 'x.zip', sha256: 'c'.repeat(64), bytes: 1, metadata: noMetadata() },
  };

  test('is what Cloud Controller sends', () => {
    const task = taskOf(
      stagingTask(
        facts({
          buildpacks: [{ kind: 'admin', row: buildpack, skip_detect: true }],
          cache: { sha256: 'd'.repeat(64) },
        }),
        places,
      ),
    );
    expect(taskFaults({ ...task })).toEqual([]);
    expect(task).toMatchObject({
      ...{
        root_fs: 'preloaded:unik-build',
        memory_mb: 1024,
        disk_mb: 2048,
        cpu_weight: 50,
        log_source: 'STG',
        log_guid: GUIDS.app,
      },
      ...{ result_file: '/tmp/result.json', log_rate_limit: { bytes_per_second: -1n } },
    });
    expect(task.cached_dependencies.map(({ to, cache_key }) => [to, cache_key])).toEqual([
      ['/tmp/lifecycle', 'buildpack-unik-lifecycle'],
      [expect.stringMatching(/^\/tmp\/buildpacks\/[0-9a-f]{16}$/), `bp-guid_${'c'.repeat(64)}`],
    ]);
    const [downloads, builder, uploads] = task.action?.timeout_action?.action?.serial_action?.actions ?? [];
    expect(downloads?.parallel_action?.actions).toHaveLength(2);
    expect(builder?.run_action?.args.slice(0, 3)).toEqual([
      '-buildpackOrder=nodejs_buildpack',
      '-skipCertVerify=false',
      '-skipDetect=true',
    ]);
    expect(Object.fromEntries((builder?.run_action?.env ?? []).map(({ name, value }) => [name, value]))).toMatchObject({
      ...{ CF_STACK: 'unik', STAGE: '1', COLOUR: 'green', MEMORY_LIMIT: '1024m', VCAP_SERVICES: '{}' },
    });
    expect(uploads?.emit_progress_action?.start_message).toBe('Uploading droplet, build artifacts cache...');
  });

  test('is carried out by our cell as staging', () => {
    const order = taskOrder(taskOf(stagingTask(facts(), places)), 'guid', { ...DEFAULT_CONTEXT, staging: true });
    expect(order.stack).toBe('unik-build');
    expect(order.result_file).toBe('/tmp/result.json');
  });

  test("a buildpack by URL is the builder's to fetch", () => {
    const url = 'https://example.com/bp.zip';
    const task = taskOf(stagingTask(facts({ buildpacks: [{ kind: 'custom', url }] }), places));
    expect(task.cached_dependencies).toHaveLength(1);
    const [, builder] = task.action?.timeout_action?.action?.serial_action?.actions ?? [];
    expect(builder?.run_action?.args[0]).toBe(`-buildpackOrder=${url}`);
  });
});

test('a task runs its command from the droplet', () => {
  const { org: o, space: s, app, mappings, bound, security_groups, group, isolation_segment, droplet } = processFacts();
  const task = {
    ...base('55555555-5555-4555-8555-555555555555'),
    ...{
      app_guid: GUIDS.app,
      sequence_id: 1,
      name: 'migrate',
      command: './migrate up',
      state: 'PENDING' as const,
      user: null,
    },
    ...{ memory_in_mb: 64, disk_in_mb: 128, log_rate_limit_in_bytes_per_second: -1, failure_reason: null },
    ...{ droplet_guid: droplet.guid, metadata: noMetadata() },
  };
  const definition = taskOf(
    appTask(
      {
        org: o,
        space: s,
        app,
        mappings,
        bound,
        security_groups,
        group,
        isolation_segment,
        droplet: aDroplet(),
        stack,
        task,
      },
      places,
    ),
  );
  expect(taskFaults({ ...definition })).toEqual([]);
  const [download, run] = definition.action?.serial_action?.actions ?? [];
  expect(download?.download_action?.artifact).toBe('droplet');
  expect(run?.run_action).toMatchObject({ args: ['app', './migrate up', ''], log_source: 'APP/TASK/migrate' });
  const order = taskOrder(definition, 'guid', DEFAULT_CONTEXT);
  expect(order.launch.command).toEqual({ kind: 'start_command', text: './migrate up' });
});

describe('signed addresses', () => {
  test('are known by their signature only', () => {
    const url = new URL(places.staging_done('build-1'));
    expect(isSigned(key, url.pathname, url.searchParams.get('signature'))).toBe(true);
    expect(isSigned(key, '/builds/build-2/completed', url.searchParams.get('signature'))).toBe(false);
    expect(isSigned(Buffer.alloc(32, 8), url.pathname, url.searchParams.get('signature'))).toBe(false);
    expect(isSigned(key, url.pathname, null)).toBe(false);
    expect(sign(key, '/a')).not.toBe(sign(key, '/b'));
  });
});

import { describe, expect, test } from '@jest/globals';
import { DEFAULT_CONTEXT } from '../../../backend/convert/context.js';
import { isStaging } from '../../../backend/convert/staging.js';
import { taskOrder } from '../../../backend/convert/task.js';
import type { Sent } from '../../../backend/wire/codec.js';
import type { Action, TaskDefinition } from '../../../protos/generated.js';
import { aTaskDefinition } from '../../support/cell/definitions.js';
import { stagingTask } from '../../support/staging/task.js';

const blob = (name: string): { url: string; sha256: string } => ({ url: `http://x/${name}`, sha256: 'ab'.repeat(32) });
const options = { guid: 'g', bits: blob('bits'), lifecycle: blob('lifecycle'), uploader: 'http://up' };
const order = (definition: Sent<TaskDefinition>, staging = true) =>
  taskOrder(aTaskDefinition(definition), 'g', { ...DEFAULT_CONTEXT, staging });

describe('a task', () => {
  const run = (path: string): Sent<Action> => ({ run_action: { path, user: 'vcap' } });
  const upload: Sent<Action> = { upload_action: { from: '/a', to: 'http://x/' } };
  test.each<[why: string, action: Sent<Action>, staging: boolean]>([
    ['with the builder stages', run('/tmp/lifecycle/builder'), true],
    ['that uploads stages', upload, true],
    [
      'that uploads deep inside stages',
      { try_action: { action: { serial_action: { actions: [run('/a'), upload] } } } },
      true,
    ],
    ['with any other program does not', { timeout_action: { action: run('/tmp/lifecycle/launcher') } }, false],
    ['with nothing does not', { parallel_action: { actions: [] } }, false],
  ])('%s', (_why, action, staging) => {
    expect(isStaging(aTaskDefinition({ action }))).toBe(staging);
  });
});

test('what Cloud Controller sends is carried out as it is, and survives JSON', () => {
  const bp = { ...blob('bp'), key: 'bp-key', path: '/tmp/buildpacks/0123' };
  const made = order(stagingTask({ ...options, buildpacks: [bp], timeout_ms: 5_000 }));
  const { staging, downloads, launch, limits, logs, result_file } = made;
  expect(JSON.parse(JSON.stringify(made))).toEqual(made);
  expect(staging?.action.timeout_action?.timeout_ms).toBe(5_000);
  const [first, builder] = staging?.action.timeout_action?.action?.serial_action?.actions ?? [];
  expect(first?.parallel_action?.actions[0]?.download_action).toMatchObject({
    artifact: 'app package',
    to: '/tmp/app',
  });
  expect(builder?.run_action).toMatchObject({ path: '/tmp/lifecycle/builder', resource_limits: { nofile: 16_384 } });
  expect(downloads).toEqual([
    expect.objectContaining({
      artifact: '',
      to: '/tmp/lifecycle',
      cache_key: 'buildpack-unik-lifecycle',
      dependency: true,
    }),
    expect.objectContaining({ artifact: 'bp-key', to: '/tmp/buildpacks/0123', cache_key: 'bp-key', dependency: true }),
  ]);
  expect(launch.env).toEqual([['LANG', 'en_US.UTF-8']]);
  expect(limits).toEqual({ memory_mb: 1024, disk_mb: 1024, cpu_weight: 50, max_pids: 1024 });
  expect({ logs: logs.source, result_file, ports: made.ports }).toEqual({
    logs: 'STG',
    result_file: '/tmp/result.json',
    ports: [],
  });
});

test('of image layers, the shared ones are dependencies', () => {
  const { downloads } = order(stagingTask({ ...options, layers: true, cache: blob('cache') }));
  expect(downloads.map(({ to, dependency = false }) => [to, dependency])).toEqual([
    ['/tmp/lifecycle', true],
    ['/tmp/app', false],
    ['/tmp/cache', false],
  ]);
});

test.each<[why: string, change: Sent<TaskDefinition>, staging: boolean, message: string]>([
  ['on a cell that does not stage', {}, false, 'this cell does not stage'],
  ['with a volume', { volume_mounts: [{ driver: 'nfs', container_dir: '/d' }] }, true, 'failed to mount volume'],
  ['in a docker image', { root_fs: 'docker:///x' }, true, 'docker'],
  ['over a droplet', { root_fs: 'preloaded+layer:unik?layer=http://x&layer_path=/h' }, true, 'droplet as its rootfs'],
])('is refused %s', (_why, change, staging, message) => {
  expect(() => order({ ...stagingTask(options), ...change }, staging)).toThrow(
    expect.objectContaining({ code: 'definition_unsupported', message: expect.stringContaining(message) }),
  );
});

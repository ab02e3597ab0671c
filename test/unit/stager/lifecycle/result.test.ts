import { describe, expect, test } from '@jest/globals';
import { readConfig, readLaunch, readRelease } from '../../../../stager/lifecycle/documents.js';
import { launchEnv } from '../../../../stager/lifecycle/launch-env.js';
import { stagingResult } from '../../../../stager/lifecycle/result.js';
import { failure } from '../../../support/failure.js';

const NOTHING = { launch: [], release: {}, procfile: {}, detected: 'x', buildpacks: [{ key: 'k', name: 'n' }] };

describe('the result of staging', () => {
  test('launch.yml goes before bin/release, a Procfile before both', () => {
    const launch = readLaunch('processes:\n- {type: web, command: a}\n- {type: worker, command: b}\n');
    const release = readRelease('---\ndefault_process_types:\n  web: r\n  clock: t\n');
    expect(stagingResult({ ...NOTHING, release }).process_types).toEqual({ web: 'r', clock: 't' });
    expect(stagingResult({ ...NOTHING, release, launch }).process_types).toEqual({ web: 'a', worker: 'b' });
    const all = stagingResult({ ...NOTHING, release, launch, procfile: { web: 'p' } });
    expect(all.process_types).toEqual({ web: 'p', worker: 'b' });
    expect(all.processes).toEqual([
      { type: 'web', command: 'p' },
      { type: 'worker', command: 'b' },
    ]);
  });

  test('a process of launch.yml beside another is a sidecar', () => {
    const launch = readLaunch(
      'processes:\n- type: agent\n  command: run\n  limits: {memory: 12}\n  platforms: {cloudfoundry: {sidecar_for: [web]}}\n',
    );
    const result = stagingResult({ ...NOTHING, launch });
    expect(result.sidecars).toEqual([{ name: 'agent', command: 'run', process_types: ['web'], memory: 12 }]);
    expect(result.process_types).toEqual({});
  });

  test('has what Cloud Controller demands', () => {
    expect(stagingResult(NOTHING)).toEqual({
      execution_metadata: '',
      lifecycle_type: 'buildpack',
      lifecycle_metadata: { buildpack_key: 'k', detected_buildpack: 'x', buildpacks: [{ key: 'k', name: 'n' }] },
      process_types: {},
      processes: [],
      sidecars: null,
    });
  });
});

describe('what buildpacks write', () => {
  test.each(['', '--- {}\n', '---\n', 'default_process_types:\n', 'config_vars: {}\n'])(
    'a release without types: %j',
    (text) => {
      expect(readRelease(text)).toEqual({});
    },
  );

  test('a version may read as a number', () => {
    expect(readConfig('name: node\nversion: 1.8\n')).toEqual({ name: 'node', version: '1.8' });
    expect(readConfig('config: {}\n')).toEqual({});
  });

  test.each(['default_process_types: [a]', '{', 'default_process_types: {web: [x]}'])('broken: %s', async (text) => {
    expect((await failure(() => readRelease(text))).code).toBe('buildpack_failed');
  });
});

describe('the environment of a container', () => {
  test('has the instance in it, and no credentials of the platform', () => {
    const env = launchEnv('/home/vcap/app', {
      PORT: '8080',
      INSTANCE_INDEX: '2',
      INSTANCE_GUID: 'g',
      VCAP_APPLICATION: '{"application_name":"a"}',
      VCAP_PLATFORM_OPTIONS: 'secret',
      VCAP_SERVICES: '{"db":[{"credentials":{"uri":"mysql://u@h/d"}}]}',
    });
    expect(env).toMatchObject({ HOME: '/home/vcap/app', TMPDIR: '/home/vcap/tmp', DEPS_DIR: '/home/vcap/deps' });
    expect(JSON.parse(env['VCAP_APPLICATION'] ?? '')).toEqual({
      application_name: 'a',
      host: '0.0.0.0',
      instance_id: 'g',
      port: 8080,
      instance_index: 2,
    });
    expect(env['DATABASE_URL']).toBe('mysql2://u@h/d');
    expect(env['VCAP_PLATFORM_OPTIONS']).toBeUndefined();
  });
});

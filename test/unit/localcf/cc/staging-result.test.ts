import { describe, expect, test } from '@jest/globals';
import { failureError, outcomeOf, type Callback } from '../../../../localcf/cc/diego/staging-result.js';
import { whyOf } from '../../../../localcf/cc/diego/why.js';

const RESULT = {
  execution_metadata: '',
  lifecycle_type: 'buildpack',
  lifecycle_metadata: {
    detected_buildpack: 'unik 0.1.0',
    buildpack_key: 'unik_buildpack',
    buildpacks: [
      { key: 'supply_one', name: 'one', version: '1' },
      { key: 'unik_buildpack', name: 'unik', version: '0.1.0' },
    ],
  },
  process_types: { web: './server' },
  sidecars: [{ name: 's', command: './s', process_types: ['web'], memory: 16 }],
};
const told = (result: unknown): Callback => ({
  task_guid: 'b',
  failed: false,
  failure_reason: '',
  result: typeof result === 'string' ? result : JSON.stringify(result),
});
const there = { has_command: false, has_droplet: true };

describe('a staging task that ended', () => {
  test('gives the droplet what it is', () => {
    expect(outcomeOf(told(RESULT), there)).toEqual({
      staged: {
        ...{ execution_metadata: '', process_types: { web: './server' } },
        buildpacks: [
          { name: 'supply_one', detect_output: null, buildpack_name: 'one', version: '1' },
          { name: 'unik_buildpack', detect_output: 'unik 0.1.0', buildpack_name: 'unik', version: '0.1.0' },
        ],
        sidecars: [{ name: 's', command: './s', process_types: ['web'], memory: 16 }],
      },
    });
  });
  test.each<[why: string, result: unknown, options: Parameters<typeof outcomeOf>[1], error: string]>([
    ['no result', '', there, 'StagingError - Staging error: Malformed message from Diego stager'],
    [
      'another lifecycle',
      { ...RESULT, lifecycle_type: 'docker' },
      there,
      'StagingError - Staging error: Malformed message from Diego stager',
    ],
    [
      'no start command',
      { ...RESULT, process_types: null },
      there,
      'StagingError - Staging error: Start command not specified',
    ],
    ['no droplet', RESULT, { ...there, has_droplet: false }, 'StagingError - Staging error: no droplet'],
  ])('%s', (_why, result, options, error) => expect(outcomeOf(told(result), options)).toEqual({ error }));
  test("the app's own command will do", () => {
    expect(outcomeOf(told({ ...RESULT, process_types: {} }), { ...there, has_command: true })).toHaveProperty('staged');
  });
});

test.each([
  [
    'STG: Exited with status 222',
    'NoAppDetectedError - An app was not successfully detected by any available buildpack',
  ],
  ['STG: Exited with status 223', 'BuildpackCompileFailed - App staging failed in the buildpack compile phase'],
  ['STG: Exited with status 224', 'BuildpackReleaseFailed - App staging failed in the buildpack release phase'],
  ['insufficient resources: memory', 'InsufficientResources - Insufficient resources: memory'],
  [
    'found no compatible cell for required rootfs',
    'NoCompatibleCell - Found no compatible cell: found no compatible cell for required rootfs',
  ],
  [
    'unable to communicate to compatible cells',
    'StagerUnavailable - Stager is unavailable: unable to communicate to compatible cells',
  ],
  ['STG: Exited with status 225', 'StagingError - Staging error: staging failed: STG: Exited with status 225'],
])('%s is told as %s', (reason, error) => expect(failureError(reason)).toBe(error));

test('the developer sees why', () => {
  const lines = [
    '-----> UniK',
    'the program forks (fork_unsupported)',
    'fix: Set UNIK_GUEST=linux.',
    'Exit status 223',
  ];
  expect(whyOf(lines)).toBe('the program forks (fork_unsupported); fix: Set UNIK_GUEST=linux.');
  expect(whyOf(['something (else)', 'done'])).toBeUndefined();
  expect(failureError('STG: Exited with status 223', whyOf(lines))).toBe(
    'BuildpackCompileFailed - App staging failed in the buildpack compile phase: the program forks (fork_unsupported); fix: Set UNIK_GUEST=linux.',
  );
});

test("what our cell says before Diego's words goes first", () => {
  const reason = 'no web process (web_missing) Fix: Add a line. STG: Exited with status 222';
  expect(failureError(reason, 'other (bad_request)')).toBe(
    'NoAppDetectedError - An app was not successfully detected by any available buildpack: no web process (web_missing) Fix: Add a line.',
  );
});

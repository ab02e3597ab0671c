import { describe, expect, test } from '@jest/globals';
import { containerEnv, instanceEnv, launcherEnv, type Env } from '../../../backend/convert/env.js';
import { launchOf } from '../../../backend/convert/launch.js';
import { aDesiredLrp } from '../../support/cell/definitions.js';

describe('the container', () => {
  const definition = aDesiredLrp({
    environment_variables: [{ name: 'A', value: '1' }],
    trusted_system_certificates_path: '/etc/certs',
  });
  const instance = { guid: 'g', index: 0 };

  test.each([
    [false, false, ['INSTANCE_GUID', 'INSTANCE_INDEX', 'CF_INSTANCE_GUID', 'CF_INSTANCE_INDEX', 'A']],
    [
      true,
      false,
      ['INSTANCE_GUID', 'INSTANCE_INDEX', 'CF_INSTANCE_GUID', 'CF_INSTANCE_INDEX', 'A', 'CF_SYSTEM_CERT_PATH'],
    ],
    [
      true,
      true,
      [
        ...['INSTANCE_GUID', 'INSTANCE_INDEX', 'CF_INSTANCE_GUID', 'CF_INSTANCE_INDEX', 'A'],
        ...['CF_SYSTEM_CERT_PATH', 'CF_INSTANCE_CERT', 'CF_INSTANCE_KEY'],
      ],
    ],
  ])('with certificates %p and identity %p, in this order', (system_certs, instance_identity, names) => {
    const env = containerEnv(definition, instance, { system_certs, instance_identity });
    expect(env.map(([name]) => name)).toEqual(names);
  });

  test('of a task is told of no instance', () => {
    expect(containerEnv(definition, undefined, { system_certs: false, instance_identity: false })).toEqual([
      ['A', '1'],
    ]);
  });
});

describe('where it is', () => {
  const launch = (env: Env) => ({
    launch: launchOf(
      {
        path: '/a',
        args: [],
        dir: '',
        env: [],
        user: '',
        log_source: '',
        suppress_log_output: false,
        volume_mounted_files: [],
      },
      { log_source: 'APP', container: env },
    ),
  });
  const net = { address: '10.0.0.5', instance_address: '10.201.0.2' };

  test('with ports', () => {
    const ports = [
      { container_port: 8080, host_port: 61001 },
      { container_port: 9090, host_port: 61002 },
    ];
    expect(instanceEnv(launch([['A', '1']]), { ...net, ports })).toEqual({
      A: '1',
      CF_INSTANCE_IP: '10.0.0.5',
      CF_INSTANCE_INTERNAL_IP: '10.201.0.2',
      CF_INSTANCE_PORT: '61001',
      CF_INSTANCE_ADDR: '10.0.0.5:61001',
      CF_INSTANCE_PORTS: '[{"external":61001,"internal":8080},{"external":61002,"internal":9090}]',
    });
  });

  test('without ports', () => {
    expect(instanceEnv(launch([]), { ...net, ports: [] })).toMatchObject({
      ...{ CF_INSTANCE_PORT: '', CF_INSTANCE_ADDR: '', CF_INSTANCE_PORTS: '[]' },
    });
  });

  test('with a port that is not on the host', () => {
    const env = instanceEnv(launch([]), { ...net, ports: [{ container_port: 8080, host_port: 0 }] });
    expect(env['CF_INSTANCE_PORTS']).toBe('[{"internal":8080}]');
    expect(env).not.toHaveProperty('CF_INSTANCE_ADDR');
  });

  test('cannot be forged, and the later of two values wins', () => {
    const env = instanceEnv(
      launch([
        ['CF_INSTANCE_IP', 'mine'],
        ['A', '1'],
        ['A', '2'],
      ]),
      { ...net, ports: [] },
    );
    expect(env).toMatchObject({ CF_INSTANCE_IP: '10.0.0.5', A: '2' });
  });
});

describe("the launcher's part", () => {
  const given = (env: Record<string, string>): Record<string, string> =>
    Object.fromEntries(launcherEnv(Object.entries(env)));

  test('VCAP_APPLICATION tells port and instance where they are numbers', () => {
    const env = { VCAP_APPLICATION: '{"limits":{"mem":64}}', PORT: 'x', INSTANCE_INDEX: '2', INSTANCE_GUID: 'g' };
    expect(JSON.parse(given(env)['VCAP_APPLICATION'] ?? '')).toEqual({
      ...{ limits: { mem: 64 }, host: '0.0.0.0', instance_id: 'g', instance_index: 2 },
    });
  });

  test.each(['', 'no json', '[]', 'null', '7'])('VCAP_APPLICATION %p is left alone', (text) => {
    expect(given({ VCAP_APPLICATION: text })).not.toHaveProperty('VCAP_APPLICATION');
  });

  const services = (...uris: unknown[]): string =>
    JSON.stringify({ first: [{ credentials: {} }, {}], second: uris.map((uri) => ({ credentials: { uri } })) });

  test.each<[services: string, url: string | undefined]>([
    [services('postgresql://u:p%40@h:5432/db?x=1'), 'postgres://u:p%40@h:5432/db?x=1'],
    [services('mysql://h/db'), 'mysql2://h/db'],
    [services('mysql2://h/db'), 'mysql2://h/db'],
    [services('amqp://h', 7, 'postgres://h/db', 'mysql://h/db'), 'postgres://h/db'],
    [services('amqp://h'), undefined],
    ['no json', undefined],
    ['{"a":7,"b":[null,[]]}', undefined],
  ])('DATABASE_URL of %s is %s', (text, url) => {
    expect(given({ VCAP_SERVICES: text })['DATABASE_URL']).toBe(url);
  });

  test('DATABASE_URL that is set stays', () => {
    expect(given({ DATABASE_URL: 'mine', VCAP_SERVICES: services('mysql://h/db') })).not.toHaveProperty('DATABASE_URL');
  });
});

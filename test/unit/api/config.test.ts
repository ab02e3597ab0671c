import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { configSchema, parseConfig } from '../../../backend/config.js';

test('an empty configuration is whole', () => {
  expect(parseConfig({}, 'config.json')).toMatchObject({
    deployment: 'local',
    provider: 'qemu',
    defaults: { memory_mb: 256, disk_mb: 1024 },
    network: { mode: 'auto', deny: [] },
    log_level: 'info',
  });
});

test.each<[string, unknown]>([
  ['memry_mb', { memry_mb: 1 }],
  ['network.mode', { network: { mode: 'magic' } }],
  ['network.deny.0', { network: { deny: ['everything'] } }],
  ['listen.tls', { listen: { port: 1, token_file: 'x' } }],
  ['listen.token_file', { listen: { port: 1, tls: { cert: 'c', key: 'k' } } }],
  ['the document', []],
])('a fault at %s is named', (where, value) => {
  expect(() => parseConfig(value, '/home/config.json')).toThrow(
    expect.objectContaining({
      code: 'config_invalid',
      message: expect.stringMatching(new RegExp(`^/home/config.json: .*${where.replaceAll('.', '\\.')}`)),
    }),
  );
});

test('every key is documented', () => {
  const page = readFileSync('docs/operating.md', 'utf8');
  interface Schema {
    properties?: Record<string, Schema>;
  }
  const keys = ({ properties = {} }: Schema, path: string[] = []): string[] =>
    Object.entries(properties).flatMap(([name, of]) =>
      of.properties ? keys(of, [...path, name]) : [[...path, name].join('.')],
    );
  const all = keys(z.toJSONSchema(configSchema, { io: 'input' }) as Schema);
  expect(all.length).toBeGreaterThan(20);
  const missing = all.filter(
    (key) => !page.includes(`\`${key}\``) && !page.includes(`\`.${key.split('.').at(-1) ?? ''}\``),
  );
  expect(missing).toEqual([]);
});

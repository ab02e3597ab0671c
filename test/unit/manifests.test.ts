/** The sample manifests of applications, as Cloud Controller reads them. */
import { describe, expect, test } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { parseManifest, readManifest } from '../../localcf/cc/manifest/parse.js';

const folder = join(import.meta.dirname, '../../manifests');
const operations = join(folder, 'operations');
const STACKS = readdirSync(operations)
  .map((name) => readFileSync(join(operations, name), 'utf8'))
  .flatMap((text) => [...text.matchAll(/cc\/stacks\/name=([a-z-]+)\?/g)].map(([, stack]) => stack));
/** Of Cloud Controller: `cc.maximum_health_check_timeout`. */
const LONGEST_S = 180;

const manifests = readdirSync(join(folder, 'apps'));

test('there are some', () => {
  expect(manifests.length).toBeGreaterThan(3);
});

describe.each(manifests)('%s', (name) => {
  const text = readFileSync(join(folder, 'apps', name), 'utf8');

  test('is one that Cloud Controller takes, for a stack that an operations file adds', () => {
    for (const app of parseManifest(text)) {
      expect(STACKS).toContain(app.stack);
      for (const { health_check } of app.processes) expect(health_check?.timeout ?? 0).toBeLessThanOrEqual(LONGEST_S);
    }
  });

  test('names folders that are here', () => {
    for (const { path } of readManifest(text))
      if (typeof path === 'string') expect(existsSync(join(folder, 'apps', path))).toBe(true);
  });

  test('says how it is pushed', () => {
    expect(text).toMatch(new RegExp(`^# .*cf push -f (manifests/apps/)?${name}`, 'm'));
  });
});

test('the stand-alone manifest and the operations file that knows it speak of the same deployment and group', () => {
  const { name, instance_groups } = parse(readFileSync(join(folder, 'unik-cells.yml'), 'utf8')) as {
    name: string;
    instance_groups: { name: string }[];
  };
  const knows = readFileSync(join(operations, 'add-unik-stack.yml'), 'utf8');
  for (const group of instance_groups)
    expect(knows).toContain(`instance_group: ${group.name}, deployment: ${name}, network: default`);
});

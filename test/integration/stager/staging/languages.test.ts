/** Every language, staged in the sandbox by the lifecycle as it ships; and by a buildpack that supplies for ours. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { unpackDroplet } from '../../../../executor/images/droplet.js';
import { ImageStore } from '../../../../executor/images/store.js';
import { packageBuildpack } from '../../../support/buildpack.js';
import { fixtureApp, APPS } from '../../../support/fixture-apps.js';
import { StagingBench } from '../../../support/staging/bench.js';
import { ownLifecycle, zipOf, zipped } from '../../../support/staging/bits.js';
import { startOrigin, type Origin } from '../../../support/staging/origin.js';
import { stagingTask, type StagingOptions } from '../../../support/staging/task.js';

let work: string;
let bench: StagingBench;
let origin: Origin;
let lifecycle: { url: string; sha256: string };

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'unik-languages-'));
  origin = await startOrigin();
  lifecycle = origin.add('lifecycle.tgz', await ownLifecycle());
  bench = await StagingBench.open();
}, 120_000);
afterAll(async () => {
  await bench.close();
  origin.close();
  await rm(work, { recursive: true, force: true });
}, 60_000);

/** Stages; gives result and image. */
async function stage(guid: string, bits: Buffer, over: Partial<StagingOptions> = {}) {
  const options = { guid, bits: origin.add(`${guid}.zip`, bits), lifecycle, uploader: origin.url, ...over };
  const { outcome } = await bench.stage(guid, stagingTask(options));
  expect({ ...outcome, lines: outcome?.failed ? bench.lines.slice(-30) : [] }).toMatchObject({
    failed: false,
    lines: [],
  });
  const droplet = origin.uploads.find(({ path }) => path.startsWith(`/v1/droplet/${guid}?`));
  if (!droplet) throw new Error('no droplet');
  const image = await unpackDroplet(Readable.from([droplet.bytes]), new ImageStore(join(work, 'images')));
  return { image, result: JSON.parse(outcome?.result ?? '') as Record<string, unknown> };
}

describe('a task stages', () => {
  test.each([
    ['go', ['/usr/local/go/bin/go', '/usr/bin/go']],
    ['java', ['/usr/bin/jlink']],
    ['ruby', ['/usr/bin/ruby']],
    ['binary', ['/usr/bin/gcc']],
    ['procfile', ['/usr/bin/node']],
  ] as const)(
    '%s',
    async (app, tools) => {
      if (!tools.some((path) => existsSync(path))) {
        process.stderr.write(`skipped: staging ${app}: none of ${tools.join(', ')}\n`);
        return;
      }
      const { image, result } = await stage(`lang-${app}`, await zipOf(fixtureApp(app, work)));
      expect(result).toMatchObject({ lifecycle_type: 'buildpack', process_types: { web: expect.any(String) } });
      expect(Object.keys(image.processes)).toContain('web');
    },
    240_000,
  );
});

test('a task stages python, without a network', async () => {
  const bits = await zipped([
    { name: 'requirements.txt', content: '' },
    { name: 'Procfile', content: 'web: python3 server.py\n' },
    { name: 'server.py', content: 'import http.server\nhttp.server.test()\n' },
  ]);
  const { image } = await stage('lang-python', bits);
  expect(image.processes['web']?.argv.at(-1)).toMatch(/server\.py$/);
}, 240_000);

test('a buildpack that supplies, and ours as the last', async () => {
  const supply = await zipped([
    {
      name: 'bin/supply',
      mode: 0o100755,
      content: '#!/bin/bash\nmkdir -p "$3/$4/bin"; echo supplied; echo "name: first" >"$3/$4/config.yml"\n',
    },
    { name: 'bin/detect', mode: 0o100755, content: '#!/bin/bash\nexit 0\n' },
  ]);
  const ours = await readFile(await packageBuildpack(work));
  const buildpacks = [
    { ...origin.add('first.zip', supply), key: 'first-key', path: `/tmp/buildpacks/${md5('first-key')}` },
    { ...origin.add('ours.zip', ours), key: 'ours-key', path: `/tmp/buildpacks/${md5('ours-key')}` },
  ];
  const bits = await zipOf(join(APPS, 'node-bare'));
  const { result } = await stage('several', bits, { buildpacks, skip_detect: true });
  expect(bench.lines).toContainEqual('STG out supplied');
  expect(result['lifecycle_metadata']).toMatchObject({
    buildpacks: [{ key: 'first-key', name: 'first' }, { key: 'ours-key' }],
  });
}, 240_000);

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

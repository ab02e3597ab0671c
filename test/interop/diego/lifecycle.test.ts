/** The platform's own lifecycle, with our buildpack in it, in our sandbox. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { unpackDroplet } from '../../../executor/images/droplet.js';
import { ImageStore } from '../../../executor/images/store.js';
import { packageBuildpack } from '../../support/buildpack.js';
import { APPS } from '../../support/fixture-apps.js';
import { describePeer, peer } from '../../support/peers.js';
import { StagingBench } from '../../support/staging/bench.js';
import { zipOf } from '../../support/staging/bits.js';
import { startOrigin, type Origin } from '../../support/staging/origin.js';
import { stagingTask } from '../../support/staging/task.js';

const KEY = 'unik_buildpack-key';

describePeer("the platform's lifecycle", ['lifecycle-builder'], () => {
  let work: string;
  let bench: StagingBench;
  let origin: Origin;

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'unik-lifecycle-'));
    origin = await startOrigin();
    bench = await StagingBench.open();
    const tar = pack();
    tar.entry({ name: 'builder', mode: 0o755 }, await readFile(peer('lifecycle-builder')));
    tar.finalize();
    origin.add('lifecycle.tgz', gzipSync(await buffer(tar), { level: 1 }));
  }, 120_000);
  afterAll(async () => {
    await bench.close();
    origin.close();
    await rm(work, { recursive: true, force: true });
  }, 60_000);

  const blobOf = (name: string, bytes: Buffer) => origin.add(name, bytes);

  test.each([
    ['detects', false],
    ['is told', true],
  ])(
    '%s our buildpack, and the droplet it packs holds the image',
    async (_why, skip_detect) => {
      const guid = `stock-${String(skip_detect)}`;
      const lifecycle = { url: `${origin.url}/lifecycle.tgz`, sha256: '' };
      const path = `/tmp/buildpacks/${createHash('md5').update(KEY).digest('hex')}`;
      const buildpack = { ...blobOf('bp.zip', await readFile(await packageBuildpack(work))), key: KEY, path };
      const bits = blobOf('static.zip', await zipOf(join(APPS, 'static')));
      const options = { guid, bits, lifecycle, buildpacks: [buildpack], skip_detect, uploader: origin.url };
      const { outcome } = await bench.stage(guid, stagingTask(options));
      expect({ ...outcome, lines: outcome?.failed ? bench.lines : [] }).toMatchObject({ failed: false, lines: [] });
      expect(JSON.parse(outcome?.result ?? '')).toMatchObject({
        lifecycle_type: 'buildpack',
        lifecycle_metadata: { buildpacks: [{ key: KEY }] },
        process_types: { web: expect.any(String) },
      });
      const droplet = origin.uploads.find(({ path: to }) => to.startsWith(`/v1/droplet/${guid}?`));
      const image = await unpackDroplet(Readable.from([droplet?.bytes]), new ImageStore(join(work, guid)));
      expect(Object.keys(image.processes)).toContain('web');
    },
    180_000,
  );

  test('a stack of containers is not for our buildpack: no application is detected', async () => {
    const lifecycle = { url: `${origin.url}/lifecycle.tgz`, sha256: '' };
    const path = `/tmp/buildpacks/${createHash('md5').update(KEY).digest('hex')}`;
    const buildpack = { ...blobOf('bp.zip', await readFile(await packageBuildpack(work))), key: KEY, path };
    const bits = blobOf('static.zip', await zipOf(join(APPS, 'static')));
    const env = { CF_STACK: 'cflinuxfs4' };
    const options = { guid: 'declined', bits, lifecycle, buildpacks: [buildpack], env, uploader: origin.url };
    const { outcome } = await bench.stage('declined', stagingTask(options));
    expect(outcome?.reason).toBe('STG: Exited with status 222');
  }, 180_000);
});

/** From the bits of `cf push` to an answer: each language staged through a BBS on our cell, then run from its droplet. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { packageBuildpack, unpackAny } from '../buildpack.js';
import type { Diego } from '../diego/diego.js';
import { NEIGHBOUR, Neighbour } from '../neighbour.js';
import { fetchUntil200 } from '../unik.js';
import { zipped } from './bits.js';
import { startClassic, type Classic } from './classic.js';
import { openStagingGround, type Staged, type StagingGround } from './ground.js';
import { LANGUAGES, type Language } from './languages.js';

const names = Object.keys(LANGUAGES) as Language[];

export function stagingSuite(name: string, startDiego: () => Promise<Diego>): void {
  describe(name, () => {
    let ground: StagingGround;
    let classic: Classic;
    /** Digests of the images that tasks made. */
    const made = new Map<Language, string>();
    beforeAll(async () => {
      ground = await openStagingGround(startDiego);
      classic = await startClassic(ground);
    }, 240_000);
    afterAll(async () => {
      await classic.close();
      await ground.close();
    }, 60_000);

    async function answers(language: Language, staged: Pick<Staged, 'droplet' | 'result'>): Promise<void> {
      const { body, memory_mb } = LANGUAGES[language];
      const url = await ground.run(language, staged, memory_mb);
      expect(await fetchUntil200(`${url}/`, 60_000)).toBe(body);
      await ground.stop(language);
    }

    describe('a task of Cloud Controller', () => {
      test.each(names)(
        '%s',
        async (language) => {
          const bits = ground.origin.add(`${language}.zip`, await LANGUAGES[language].bits(ground.home));
          const staged = await ground.staged(`build-${language}`, { bits });
          expect(staged.said).toEqual(
            expect.arrayContaining([
              'out Downloading app package...',
              expect.stringMatching(/^out -----> Application: /),
              expect.stringMatching(/^out -----> Image sha256:[0-9a-f]{12}/),
              'out Exit status 0',
              'out Uploading complete',
            ]),
          );
          made.set(language, staged.image.digest);
          await answers(language, staged);
        },
        600_000,
      );

      test('a buildpack that supplies Node.js, and ours as the final one', async () => {
        const ours = await readFile(await packageBuildpack(ground.home));
        const buildpack = (key: string, bytes: Buffer) => ({
          ...ground.origin.add(`${key}.zip`, bytes),
          ...{ key, path: `/tmp/buildpacks/${createHash('md5').update(key).digest('hex')}` },
        });
        const staged = await ground.staged('build-several', {
          bits: ground.origin.add('several.zip', await LANGUAGES['node-bare'].bits(ground.home)),
          buildpacks: [buildpack('nodejs_buildpack', await suppliesNode()), buildpack('unik_buildpack', ours)],
          skip_detect: true,
        });
        expect(staged.image.processes['web']?.argv[0]).toBe('/home/vcap/deps/0/node/bin/node');
        expect(staged.result.lifecycle_metadata.buildpacks).toMatchObject([
          { key: 'nodejs_buildpack', name: 'nodejs', version: '9.9.9' },
          { key: 'unik_buildpack', name: 'unik' },
        ]);
        await answers('node-bare', staged);
      }, 600_000);

      (process.getuid?.() === 0 ? test : test.skip)(
        'our buildpack from a URL, and from a git repository, through the filtered network',
        async () => {
          const served = await serveBuildpack(ground.home);
          const neighbour = await Neighbour.start(served);
          try {
            const bits = ground.origin.add('static.zip', await LANGUAGES.static.bits(ground.home));
            const base = `http://${NEIGHBOUR.address}:${NEIGHBOUR.files}`;
            for (const [guid, url] of Object.entries({ 'by-url': `${base}/bp.zip`, 'by-git': `${base}/bp.git#main` })) {
              const staged = await ground.staged(guid, { bits, urls: [url] });
              expect(staged.result.lifecycle_metadata.buildpacks).toMatchObject([{ key: url, name: 'unik' }]);
              expect(staged.image.digest).toBe(made.get('static'));
            }
          } finally {
            await neighbour.stop();
          }
        },
        600_000,
      );
    });

    describe('the classic stager', () => {
      test.each(names)(
        '%s: the same image',
        async (language) => {
          const { url, sha256 } = ground.origin.add(`${language}.zip`, await LANGUAGES[language].bits(ground.home));
          const cache = ground.uploadOf(`/v1/build_artifacts/build-${language}?`);
          const staged = await classic.stage(`${language}-app`, {
            ...{ app_bits_download_uri: url, app_bits_checksum: { type: 'sha256', value: sha256 } },
            build_artifacts_cache_download_uri: ground.origin.add(`${language}.cache`, cache.bytes).url,
          });
          expect(staged.image.digest).toBe(made.get(language));
          // The same bytes were asked already; one is asked again, for the way there.
          if (language === 'static') await answers(language, staged);
        },
        600_000,
      );
    });
  });
}

/** A folder with our buildpack as `bp.zip` and as the repository `bp.git`. */
async function serveBuildpack(home: string): Promise<string> {
  const served = await mkdtemp(join(home, 'served-'));
  const zip = await packageBuildpack(served, 'bp.zip');
  const source = join(served, 'source');
  await mkdir(source);
  await unpackAny(zip, source);
  const git = (...args: string[]) =>
    execa('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { cwd: source });
  await git('init', '-q', '-b', 'main');
  await git('add', '-A');
  await git('commit', '-q', '-m', 'as it ships');
  await git('clone', '-q', '--bare', source, join(served, 'bp.git'));
  await execa('git', ['update-server-info'], { cwd: join(served, 'bp.git') });
  return served;
}

/** A buildpack that puts the Node.js of its surroundings where Cloud Foundry's own puts one. */
function suppliesNode(): Promise<Buffer> {
  const supply = `#!/bin/bash
set -e
own="$3/$4"
mkdir -p "$own/node/bin" "$own/bin"
cp "$(readlink -f "$(command -v node)")" "$own/node/bin/node"
ln -s ../node/bin/node "$own/bin/node"
printf 'name: nodejs\\nversion: 9.9.9\\n' >"$own/config.yml"
`;
  return zipped([
    { name: 'bin/detect', mode: 0o100755, content: '#!/bin/bash\nexit 0\n' },
    { name: 'bin/supply', mode: 0o100755, content: supply },
  ]);
}

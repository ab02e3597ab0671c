/** Applications that must be refused, staged as tasks of Cloud Controller: the BBS is told code and remedy. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { gzipSync } from 'node:zlib';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { ERRORS, type ErrorCode } from '../../../core/errors.js';
import type { Diego } from '../diego/diego.js';
import { compiled, forArm, withoutLibrary } from '../programs.js';
import type { ZipPart } from '../zip.js';
import { zipped } from './bits.js';
import { startClassic, type Classic } from './classic.js';
import { openStagingGround, type StagingGround } from './ground.js';
import type { StagingOptions } from './task.js';

interface Refused {
  parts: () => ZipPart[] | Promise<ZipPart[]>;
  code: ErrorCode;
  /** In the reason. */
  named: RegExp;
  over?: Partial<StagingOptions>;
}

const file = (name: string, content: string | Buffer = '1'): ZipPart => ({ name, content, mode: 0o100644 });
const program = (name: string, content: Buffer): ZipPart => ({ name, content, mode: 0o100755 });
const GUNICORN = '#!/usr/bin/env python3\nprint("gunicorn")\n';

export const REFUSED: Readonly<Record<string, Refused>> = {
  'gunicorn with workers on a library OS': {
    parts: () => [
      file('Procfile', 'web: gunicorn -w 4 app:app\n'),
      file('app.py', 'app = None\n'),
      { name: '.python_packages/bin/gunicorn', content: GUNICORN, mode: 0o100755 },
    ],
    code: 'fork_unsupported',
    named: /gunicorn/,
    over: { env: { UNIK_GUEST: 'unikraft', UNIK_KERNELS: 'unikraft,linux' } },
  },
  'a shell pipeline as start command': {
    parts: () => [file('Procfile', 'web: node a.js | tee log\n'), file('a.js')],
    code: 'command_needs_shell',
    named: /"\|"/,
  },
  'npm start that runs two programs': {
    parts: () => [file('package.json', '{"scripts":{"start":"node a.js & node b.js"}}'), file('a.js'), file('b.js')],
    code: 'command_needs_shell',
    named: /"&"/,
  },
  'a dynamic binary with a library missing': {
    parts: () => [program('server', withoutLibrary())],
    code: 'library_missing',
    named: /libgone\.so/,
  },
  'an ARM binary': {
    parts: () => [program('server', forArm())],
    code: 'arch_mismatch',
    named: /aarch64/,
  },
  'a Procfile without web': {
    parts: () => [file('Procfile', 'worker: node a.js\n'), file('a.js')],
    code: 'web_missing',
    named: /worker/,
  },
  'no start command': {
    parts: () => [file('requirements.txt', '# none\n'), file('lib.py', 'pass\n')],
    code: 'command_missing',
    named: /how to start/,
  },
  'a jar without main class': {
    parts: async () => [
      file('a.jar', await zipped([{ name: 'META-INF/MANIFEST.MF', content: 'Manifest-Version: 1.0\n' }])),
    ],
    code: 'main_class_missing',
    named: /a\.jar/,
  },
  '0 bytes': { parts: () => [file('server.js', '')], code: 'source_empty', named: /0 bytes/ },
  'a zip with ../ entries': { parts: () => [file('../evil')], code: 'archive_invalid', named: /\.\.\/evil/ },
  'a zip bomb': {
    parts: () => [file('zeros', Buffer.alloc(40 * 2 ** 20))],
    code: 'archive_too_large',
    named: /larger than allowed/,
    over: { disk_mb: 32 },
  },
  'bits whose checksum differs': {
    parts: () => [file('server.js')],
    code: 'download_failed',
    named: /its sha256 checksum is [0-9a-f]{64}, not abab/,
  },
};

export function refusedSuite(name: string, startDiego: () => Promise<Diego>): void {
  describe(name, () => {
    let ground: StagingGround;
    let classic: Classic;
    beforeAll(async () => {
      ground = await openStagingGround(startDiego, { network: 'off' });
      classic = await startClassic(ground);
    }, 240_000);
    afterAll(async () => {
      await classic.close();
      await ground.close();
    }, 60_000);

    test.each(Object.entries(REFUSED))(
      '%s',
      async (what, { parts, code, named, over }) => {
        const guid = `refused-${Object.keys(REFUSED).indexOf(what)}`;
        const blob = ground.origin.add(`${guid}.zip`, await zipped(await parts()));
        const bits = what.includes('checksum') ? { ...blob, sha256: 'ab'.repeat(32) } : blob;
        const { failed, failure_reason, said } = await ground.task(guid, { bits, ...over });
        expect({ failed, failure_reason }).toMatchObject({
          failed: true,
          failure_reason: expect.stringContaining(`(${code}) Fix: ${ERRORS[code].hint} `),
        });
        expect(failure_reason).toMatch(named);
        // The user sees the log alone.
        expect(said.join('\n')).toContain(`(${code})`);
        expect(said.join('\n')).toMatch(/fix: /);
        expect(ground.origin.uploads.filter(({ path }) => path.includes(guid))).toEqual([]);
      },
      120_000,
    );

    test('Cloud Controller is told by the classic stager what it can tell its users', async () => {
      const { url } = ground.origin.add('unknown.zip', await zipped([file('Procfile', 'web: a | b\n')]));
      const data = { app_bits_download_uri: url };
      expect(await classic.complete('refused', data)).toEqual({
        error: { id: 'StagingError', message: 'staging failed' },
      });
    }, 120_000);

    test('a droplet of a container stack crashes with the remedy', async () => {
      const tar = pack();
      tar.entry({ name: './staging_info.yml' }, '{"detected_buildpack":"binary","start_command":"./server"}\n');
      tar.entry({ name: './app/server', mode: 0o755 }, compiled('int main(void) { return 0; }'));
      tar.finalize();
      const droplet = ground.origin.add('container.droplet', gzipSync(await buffer(tar)));
      await ground.control.desire({ process_guid: 'container', droplet, command: './server' });
      const crashed = await ground.control.one('container', 'a crash', ({ crash_reason }) => crash_reason !== '');
      expect(crashed.crash_reason).toMatch(/staged for another stack.*`cf restage`/);
      await ground.control.remove('container');
      await ground.control.gone('container');
    }, 120_000);
  });
}

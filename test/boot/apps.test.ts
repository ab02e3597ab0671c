/** Real apps, one of each kind: build, run, the right bytes, logs, stop with last words, exit status, rm. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { EXPECTED, fixtureApp, type FixtureApp } from '../support/fixture-apps.js';
import { fetchUntil200, filesBelow, freePort, makeUnik, processesOf, root, type Unik } from '../support/unik.js';

/** Application memory each gets: as little as such an app is given in practice. */
const MEMORY: Record<FixtureApp, string> = {
  static: '32m',
  binary: '32m',
  go: '64m',
  python: '64m',
  ruby: '96m',
  'node-bare': '128m',
  procfile: '128m',
  'node-deps': '160m',
  java: '192m',
};

describe('an app folder becomes a machine that answers', () => {
  let unik: Unik;
  beforeAll(async () => {
    unik = await makeUnik();
  });
  afterAll(async () => {
    await unik.close();
    expect(await processesOf(unik.home)).toEqual([]);
  }, 60_000);

  test.each(Object.keys(EXPECTED) as FixtureApp[])(
    '%s',
    async (kind) => {
      const { body, lastWords, exit } = EXPECTED[kind];
      const dir = fixtureApp(kind, join(unik.home, 'src'));
      await unik.ok(['build', dir, '-t', kind], { timeout_ms: 300_000 });
      const port = await freePort();
      await unik.ok(['run', '-d', '--name', kind, '-p', `${port}:8080`, '-m', MEMORY[kind], kind]);
      const answer = await fetchUntil200(`http://127.0.0.1:${port}/`, 120_000);
      if (typeof body === 'string') expect(answer).toBe(body);
      else expect(answer).toMatch(body);
      await unik.ok(['stop', kind]);
      const { stdout: logs, stderr: kernelLines } = await unik(['logs', kind]);
      expect(kernelLines).toMatch(/Linux version/);
      if (lastWords !== undefined) expect(logs.trimEnd().split('\n').slice(-3).join('\n')).toContain(lastWords);
      const [seen] = await unik.json<{ exit?: { status: number } }[]>(['inspect', kind]);
      expect(seen?.exit?.status).toBe(exit);
      await unik.ok(['rm', kind]);
      expect(await unik.json(['ps', '-a'])).toEqual([]);
      expect(await filesBelow(join(unik.home, 'machines'))).toEqual([]);
    },
    400_000,
  );

  test('the sample of `npm start` is built twice with the same digest', async () => {
    const first = await unik.json<{ digest: string }>(['build', join(root, 'samples/hello'), '-t', 'one']);
    const again = await unik.json<{ digest: string }>(['build', join(root, 'samples/hello'), '-t', 'two']);
    expect(again.digest).toBe(first.digest);
  });
});

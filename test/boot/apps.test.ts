/** Seven real apps, one of each kind: build, run, the right bytes, logs, stop with last words, exit status, rm. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { prepareApp, type AppKind } from '../support/apps.js';
import { fetchUntil200, filesBelow, freePort, makeUnik, processesOf, root, type Unik } from '../support/unik.js';

interface Case {
  kind: AppKind;
  /** What `GET /` must hold. */
  body: RegExp;
  /** What the app says when it sees SIGTERM; the static server says nothing of ours. */
  lastWords?: RegExp;
  code: number;
  memory: string;
}

const cases: Case[] = [
  { kind: 'static', body: /Hello from a unikernel/, code: 143, memory: '32m' },
  { kind: 'node-deps', body: /packages/, lastWords: /bye/, code: 0, memory: '192m' },
  { kind: 'python', body: /python/i, lastWords: /bye/, code: 0, memory: '128m' },
  { kind: 'go', body: /go/i, lastWords: /bye/, code: 0, memory: '64m' },
  { kind: 'java', body: /java/i, lastWords: /bye/, code: 0, memory: '256m' },
  { kind: 'binary', body: /binary/i, lastWords: /bye/, code: 0, memory: '32m' },
  { kind: 'procfile', body: /procfile/i, lastWords: /bye/, code: 0, memory: '128m' },
];

describe('an app folder becomes a machine that answers', () => {
  let unik: Unik;
  beforeAll(async () => {
    unik = await makeUnik();
  });
  afterAll(async () => {
    await unik.close();
    expect(await processesOf(unik.home)).toEqual([]);
  }, 60_000);

  test.each(cases)(
    '$kind',
    async ({ kind, body, lastWords, code, memory }) => {
      const dir = await prepareApp(kind, join(unik.home, 'src'));
      await unik.ok(['build', dir, '-t', kind], { timeout_ms: 300_000 });
      const port = await freePort();
      await unik.ok(['run', '-d', '--name', kind, '-p', `${port}:8080`, '-m', memory, '-e', 'GREETING=a=b', kind]);
      expect(await fetchUntil200(`http://127.0.0.1:${port}/`, 120_000)).toMatch(body);
      await unik.ok(['stop', kind]);
      const logs = await unik.ok(['logs', kind]);
      expect(logs).toMatch(/Linux version/);
      if (lastWords) expect(logs).toMatch(lastWords);
      const [seen] = await unik.json<{ state: { exit: { code?: number } } }[]>(['inspect', kind]);
      expect(seen?.state.exit.code).toBe(code);
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

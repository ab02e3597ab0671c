/** The real `cf`, command by command, against a Cloud Foundry of one machine whose cell stages, with machines that are faked. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cloud } from '../../support/cc/cloud.js';
import { CfCli } from '../../support/cf/cli.js';
import { APPS, PLATFORM, type Row } from '../../support/cf/command-table.js';
import { describePeer, peer } from '../../support/peers.js';

jest.setTimeout(180_000);

const MANIFEST = `---
applications:
- name: ((host))
  stack: unik
  memory: 64M
  instances: 2
  health-check-type: http
  health-check-http-endpoint: /
  routes:
  - route: ((host)).apps.localhost
  env:
    GREETING: hello
`;

for (const program of ['cf', 'cf9']) {
  describePeer(`${program} against localcf`, [program], () => {
    let cloud: Cloud;
    let cf: CfCli;
    let tmp: string;
    const places: Record<string, string> = {};

    beforeAll(async () => {
      cloud = await Cloud.open();
      cf = new CfCli(peer(program));
      tmp = await mkdtemp(join(tmpdir(), 'unik-commands-'));
      await mkdir(join(tmp, 'app'));
      await writeFile(join(tmp, 'app/index.html'), 'hello');
      await writeFile(join(tmp, 'app/manifest.yml'), MANIFEST);
      await writeFile(join(tmp, 'rules.json'), '[{"protocol":"tcp","destination":"10.0.0.0/8","ports":"80"}]');
      Object.assign(places, {
        ...{ TMP: tmp, APP: join(tmp, 'app'), MANIFEST: join(tmp, 'app/manifest.yml'), RULES: join(tmp, 'rules.json') },
        ...{ PASSWORD: cloud.localcf.admin.password, BUILDPACK: join(cloud.home, 'unik_buildpack-v0.zip') },
      });
      await cf.ok(['api', cloud.localcf.api_url]);
    });
    afterAll(async () => {
      cf.remove();
      await cloud.close();
      await rm(tmp, { recursive: true, force: true });
    });

    test.each([...PLATFORM, ...APPS].map((row, at): [number, string, Row] => [at + 1, row.line, row]))(
      '%i: cf %s',
      async (_at, _line, { line, typed = '', code = 0, says, never }) => {
        const filled = (text: string): string =>
          text.replace(/\{([A-Z]+)\}/g, (_all, name: string) => places[name] ?? '');
        const ran = await cf.run(wordsOf(filled(line)), { cwd: join(tmp, 'app', '..'), input: filled(typed) });
        expect({ output: ran.output, code: ran.code }).toEqual({
          output: says ? expect.stringMatching(says) : expect.any(String),
          code,
        });
        if (never) expect(ran.output).not.toMatch(never);
      },
    );
  });
}

function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, plain]) => single ?? double ?? plain ?? '',
  );
}

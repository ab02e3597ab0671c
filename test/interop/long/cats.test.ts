/** The `[apps]` cases of cf-acceptance-tests: the real `cf` against a Cloud Foundry of one machine, whose apps are machines. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CfCli } from '../../support/cf/cli.js';
import { openDomain, type Domain } from '../../support/cf/domain.js';
import { Platform } from '../../support/cf/platform.js';
import { runSuite } from '../../support/cf/suite.js';
import type { Spec } from '../../support/ginkgo.js';
import { describePeer, peer } from '../../support/peers.js';
import { ABSENT } from './cats-absent.js';

const {
  UNIK_CATS_DIR: folder = '',
  UNIK_CATS_FOCUS: focus = '\\[apps\\]',
  UNIK_CATS_MINUTES: minutes = '75',
  UNIK_CATS_REPORT: file,
} = process.env;
const APPS_DOMAIN = 'apps.unik.test';

const lacking = [
  ...(process.getuid?.() === 0 ? [] : ['root, for ports and a name server']),
  ...(existsSync(join(folder, 'assets/catnip')) ? [] : ['UNIK_CATS_DIR, the sources of cf-acceptance-tests']),
];
for (const what of lacking) process.stderr.write(`skipped: cf-acceptance-tests, apps: without ${what}\n`);
const describeSuite =
  lacking.length === 0
    ? describePeer
    : (title: string, _names: readonly string[], body: () => void) => describe.skip(title, body);

describeSuite('cf-acceptance-tests, apps', ['cf', 'cats-apps.test'], () => {
  let domain: Domain;
  let platform: Platform;
  beforeAll(async () => {
    domain = await openDomain();
    platform = await Platform.open({
      api: { host: domain.api, port: 80 },
      router: { host: domain.router, port: 80 },
      ...{ apps_domain: APPS_DOMAIN, default_stack: 'unik' },
      // Some cases bring buildpacks of their own, whose droplets are no images yet.
      cell: { compose_at_start: true },
    });
    await keepApps();
  }, 240_000);
  /** One case looks for the application's files in the droplet: an operator can have them there, beside the image. */
  const keepApps = async (): Promise<void> => {
    const cf = new CfCli(peer('cf'));
    await cf.ok(['api', platform.api]);
    await cf.ok(['auth', 'admin', await platform.password()]);
    await cf.ok(['set-staging-environment-variable-group', '{"UNIK_KEEP_APP":"1"}']);
    cf.remove();
  };
  afterAll(async () => {
    await platform.stop();
    expect(await platform.processes()).toEqual([]);
    await platform.remove();
    await domain.close();
  }, 180_000);

  test('all pass that need nothing this platform lacks', async () => {
    const specs = await runSuite({
      ...{ program: 'cats-apps.test', folder, name_server: domain.name_server },
      config: {
        ...{ api: domain.api, apps_domain: APPS_DOMAIN, use_http: true },
        ...{ skip_ssl_validation: true, skip_dns_validation: true },
        ...{ admin_user: 'admin', admin_password: await platform.password() },
        // A machine boots slower than a container, and without KVM slower still.
        ...{ timeout_scale: 3, stacks: ['unik'] },
        // One case runs `env` as a task of a program's image, which has that program and no other.
        include_tasks: false,
      },
      focus: [focus],
      skip: ABSENT.map(({ spec }) => spec.source),
      timeout_ms: Number(minutes) * 60_000,
    });
    const table = specs.flatMap(lineOf);
    console.log(table.join('\n'));
    if (file !== undefined) await writeFile(file, JSON.stringify(specs, null, 1));
    const ran = specs.filter(({ state }) => state !== 'skipped');
    expect(ran.length).toBeGreaterThan(0);
    expect(ran.filter(({ state }) => state === 'failed').map(({ name }) => name)).toEqual([]);
  }, 5_400_000);
});

/** Of the table: one that was not asked for has none. */
function lineOf({ name, state, seconds, why }: Spec): string[] {
  const reason = ABSENT.find(({ spec }) => spec.test(name))?.reason;
  if (reason !== undefined) return [`not applicable  ${name}: ${reason}`];
  if (state === 'skipped') return [];
  return [`${state}  ${seconds.toFixed(0)} s  ${name}${state === 'failed' ? `\n  ${why?.slice(0, 500)}` : ''}`];
}

/** Applications that tell what reached them, one for each language, for the boots of every guest. */
import { execa } from 'execa';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from './unik.js';

const FIXTURES = join(root, 'test/fixtures');

/** Memory of each application, MB. */
export const MEMORY = { c: 32, go: 64, node: 256, python: 96, static: 32 } as const;
export type GuestApp = keyof typeof MEMORY;

/** Makes those that are compiled below `dir`. Gives the folder to build of each. */
export async function guestPrograms(dir: string): Promise<Record<GuestApp, string>> {
  const [c, go] = [join(dir, 'c'), join(dir, 'go')];
  for (const folder of [c, go]) await mkdir(folder);
  const source = join(FIXTURES, 'guests/env-server.c');
  await execa('gcc', ['-O1', '-fPIE', '-pie', '-o', join(c, 'server'), source]);
  await execa('go', ['build', '-buildmode=pie', '-o', join(go, 'server'), '.'], {
    cwd: join(FIXTURES, 'guests/go'),
    env: { CGO_ENABLED: '0' },
  });
  const [node, python] = [join(FIXTURES, 'guests/node'), join(FIXTURES, 'guests/python')];
  return { c, go, node, python, static: join(FIXTURES, 'apps/static') };
}

/** 200 variables and 20 KB of services with everything in them that a quoting could lose. */
export const SERVICES = JSON.stringify({ db: [{ credentials: { password: 'p"w=1, \n🎉'.repeat(1_500) } }] });
export const ENV_FILE = [
  ...Array.from({ length: 200 }, (_, i) => `TEST_${i}=value-${i}`),
  `VCAP_SERVICES=${SERVICES}`,
  '',
].join('\n');

/** What each of the programs answers when all of it has arrived. */
export function intact(): string {
  const bytes = Buffer.from(SERVICES);
  const sum = bytes.reduce((total, byte) => (Math.imul(total, 31) + byte) >>> 0, 0);
  return `200 ${bytes.length} ${sum}\n`;
}

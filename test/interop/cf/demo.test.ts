/** The talk from a fresh home: what `npm run demo` types, by the real CLI, with real machines. */
import { expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describePeer, peer } from '../../support/peers.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));

describePeer('the demo', ['cf'], () => {
  test('push, enable-unik, start, three machines, logs, one killed and replaced, delete; nothing is left', async () => {
    const env = { ...process.env, UNIK_INTEROP_PEERS: dirname(peer('cf')) };
    const child = spawn(process.execPath, [join(root, 'scripts/demo.mjs')], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stdout.on('data', (data: Buffer) => (said += data.toString()));
    child.stderr.on('data', (data: Buffer) => (said += data.toString()));
    const code = await new Promise((resolve) => child.on('close', resolve));
    const last = said.trimEnd().split('\n').at(-1) ?? '';
    if (code !== 0) throw new Error(said);
    const result = JSON.parse(last) as { steps: { typed: string; ms: number }[] };
    expect(result).toMatchObject({ ok: true, cli: { name: 'cf', version: expect.stringMatching(/^\d+\.\d+/) } });
    expect(result).toMatchObject({ first_run_s: expect.any(Number), lines_typed: 8 });
    expect(result.steps.map(({ typed }) => typed.split(' ').slice(0, 2).join(' '))).toEqual(
      expect.arrayContaining(['cf push', 'cf enable-unik', 'cf start', 'cf scale', 'cf logs', 'cf delete']),
    );
  }, 900_000);
});

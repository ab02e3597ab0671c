import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readIdentity, requireHost, type IdentityFiles } from '../../../core/tls.js';
import { writeCerts, type CertFiles } from '../../support/diego/certs.js';

let dir: string;
let certs: CertFiles;
let good: IdentityFiles;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'unik-tls-'));
  certs = await writeCerts(dir);
  await writeFile(join(dir, 'secret'), 'a secret that is no PEM');
  good = { ca_file: certs.ca, cert_file: certs.cert, key_file: certs.key };
}, 60_000);
afterAll(() => rm(dir, { recursive: true, force: true }));

test.each<[why: string, change: () => Partial<IdentityFiles>, message: RegExp]>([
  ['a key of another certificate', () => ({ key_file: certs.stranger.key }), /^tls\.key_file: .* is not the key of /],
  ['a missing file', () => ({ ca_file: join(dir, 'none') }), /^tls\.ca_file: ENOENT/],
  ['a certificate that is none', () => ({ cert_file: join(dir, 'secret') }), /^tls\.cert_file: .* PEM certificate/],
  ['a key that is none', () => ({ key_file: join(dir, 'secret') }), /^tls\.key_file: .* PEM private key/],
])('an identity with %s is refused, and no word of it is told', async (_why, change, message) => {
  const reading = readIdentity({ ...good, ...change() }, 'tls');
  await expect(reading).rejects.toMatchObject({
    code: 'config_invalid',
    message: expect.stringMatching(message) as unknown,
  });
  await expect(reading).rejects.not.toThrow('a secret');
});

test('a certificate stands for the hosts that it names, and for no other', async () => {
  const identity = await readIdentity(good, 'tls');
  for (const host of ['127.0.0.1', 'localhost']) expect(() => requireHost(identity, host, 'tls')).not.toThrow();
  for (const host of ['127.0.0.2', 'example.com']) {
    expect(() => requireHost(identity, host, 'tls')).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  }
});

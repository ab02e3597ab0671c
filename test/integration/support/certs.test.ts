import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeCerts, type CertFiles } from '../../support/diego/certs.js';

let dir: string;
let files: CertFiles;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'unik-certs-'));
  files = await writeCerts(dir, ['metron']);
}, 30_000);
afterAll(() => rm(dir, { recursive: true, force: true }));

const read = async (path: string): Promise<X509Certificate> => new X509Certificate(await readFile(path));

test('the good pair is an RSA leaf of the authority, for both ends, on loopback and under the names asked for', async () => {
  const [ca, leaf] = [await read(files.ca), await read(files.cert)];
  expect(ca.ca).toBe(true);
  expect(leaf.ca).toBe(false);
  expect(leaf.verify(ca.publicKey)).toBe(true);
  expect(leaf.publicKey.asymmetricKeyType).toBe('rsa');
  expect(leaf.checkIP('127.0.0.1')).toBe('127.0.0.1');
  expect([leaf.checkHost('localhost'), leaf.checkHost('metron')]).toEqual(['localhost', 'metron']);
  expect(leaf.keyUsage).toEqual(expect.arrayContaining(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']));
  expect(Date.parse(leaf.validTo)).toBeGreaterThan(Date.now());
});

test('the expired pair is past, the stranger is of another authority; keys are for the owner alone', async () => {
  const [ca, expired, stranger] = [
    await read(files.ca),
    await read(files.expired.cert),
    await read(files.stranger.cert),
  ];
  expect(expired.verify(ca.publicKey)).toBe(true);
  expect(Date.parse(expired.validTo)).toBeLessThan(Date.now());
  expect(stranger.verify(ca.publicKey)).toBe(false);
  expect((await stat(files.key)).mode & 0o777).toBe(0o600);
});

/** A certificate authority of this machine's own, and one certificate for all that talk over it. Kept; made anew before it ends. */
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { writeFileAtomic } from '../core/json-file.js';
import { readIdentity, type IdentityFiles, type TlsIdentity } from '../core/tls.js';
import { hasCode } from '../core/errors.js';
import { access } from 'node:fs/promises';

export interface Certificates {
  files: IdentityFiles;
  identity: TlsIdentity;
}

const DAY_MS = 86_400_000;
const YEARS = 10;
/** `metron` is whom cells take an agent of Loggregator for. */
const NAMES = ['localhost', 'metron', 'bbs.service.cf.internal', 'locket.service.cf.internal'];

/** Private keys are readable by their owner alone. The authority's own key is not kept: nothing more is signed by it. */
export async function openCertificates(folder: string, now: number): Promise<Certificates> {
  const files = {
    ca_file: join(folder, 'ca.crt'),
    cert_file: join(folder, 'platform.crt'),
    key_file: join(folder, 'platform.key'),
  };
  if (!(await areGood(files, now))) await make(files, now);
  return { files, identity: await readIdentity(files, 'certificates') };
}

async function areGood(files: IdentityFiles, now: number): Promise<boolean> {
  try {
    await access(files.key_file);
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return false;
    throw err;
  }
  const { cert } = await readIdentity(files, 'certificates');
  return Date.parse(new X509Certificate(cert).validTo) - now > 30 * DAY_MS;
}

async function make({ ca_file, cert_file, key_file }: IdentityFiles, now: number): Promise<void> {
  const times = { notBeforeDate: new Date(now - DAY_MS), notAfterDate: new Date(now + YEARS * 365 * DAY_MS) };
  // RSA: Diego's TLS 1.2 suites take no other kind of key.
  const kind = { keySize: 2048, algorithm: 'sha256', ...times };
  const ca = await generate([{ name: 'commonName', value: 'unik' }], {
    ...kind,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const leaf = await generate([{ name: 'commonName', value: 'unik-platform' }], {
    ...kind,
    ca: { cert: ca.cert, key: ca.private },
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true, keyEncipherment: true },
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      {
        name: 'subjectAltName',
        altNames: [{ type: 7, ip: '127.0.0.1' }, ...NAMES.map((value) => ({ type: 2 as const, value }))],
      },
    ],
  });
  await writeFileAtomic(ca_file, ca.cert);
  await writeFileAtomic(cert_file, leaf.cert);
  // Last: with it all three are there.
  await writeFileAtomic(key_file, leaf.private);
}

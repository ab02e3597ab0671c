import { generate } from 'selfsigned';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A PEM certificate and its private key. */
export interface Pair {
  cert: string;
  key: string;
}

export interface LeafOptions {
  /** Common name, and a DNS name beside `localhost` and 127.0.0.1. */
  name?: string;
  /** More DNS names. */
  names?: readonly string[];
  /** Ended yesterday. */
  expired?: boolean;
}

const DAY_MS = 86_400_000;

/** An RSA certificate authority: Diego's TLS 1.2 suites take no other kind of key. */
export async function makeAuthority(name = 'unik test CA'): Promise<Pair> {
  const made = await generate([{ name: 'commonName', value: name }], {
    keySize: 2048,
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - DAY_MS),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return { cert: made.cert, key: made.private };
}

/** A certificate for every role: server and client use, 127.0.0.1, `localhost` and the names given. */
export async function makeLeaf(
  ca: Pair,
  { name = 'unik', names = [], expired = false }: LeafOptions = {},
): Promise<Pair> {
  const dns = [...new Set(['localhost', name, ...names])];
  const made = await generate([{ name: 'commonName', value: name }], {
    keySize: 2048,
    algorithm: 'sha256',
    ca,
    notBeforeDate: new Date(Date.now() - 3 * DAY_MS),
    notAfterDate: new Date(Date.now() + (expired ? -DAY_MS : 30 * DAY_MS)),
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true, keyEncipherment: true },
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      {
        name: 'subjectAltName',
        altNames: [{ type: 7, ip: '127.0.0.1' }, ...dns.map((value) => ({ type: 2 as const, value }))],
      },
    ],
  });
  return { cert: made.cert, key: made.private };
}

/** Paths of the PEM files of a test: `ca`, and pairs that are good, expired, or of another authority. */
export interface CertFiles {
  ca: string;
  cert: string;
  key: string;
  expired: Pair;
  stranger: Pair;
}

/** Writes an authority and its pairs into `dir`; keys are readable by the owner alone. */
export async function writeCerts(dir: string, names: readonly string[] = []): Promise<CertFiles> {
  await mkdir(dir, { recursive: true });
  const [ca, otherCa] = await Promise.all([makeAuthority(), makeAuthority('another CA')]);
  const [good, expired, stranger] = await Promise.all([
    makeLeaf(ca, { names }),
    makeLeaf(ca, { expired: true }),
    makeLeaf(otherCa),
  ]);
  const file = async (name: string, text: string): Promise<string> => {
    const path = join(dir, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  const pair = async (name: string, { cert, key }: Pair): Promise<Pair> => ({
    cert: await file(`${name}.crt`, cert),
    key: await file(`${name}.key`, key),
  });
  return {
    ca: await file('ca.crt', ca.cert),
    ...(await pair('peer', good)),
    expired: await pair('expired', expired),
    stranger: await pair('stranger', stranger),
  };
}

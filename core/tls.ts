/** Identities of mutual TLS: PEM files in, checked texts out. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { messageOf, UnikError } from './errors.js';

export interface IdentityFiles {
  ca_file: string;
  cert_file: string;
  key_file: string;
}

/** PEM texts. `ca` is whom we believe, `cert` and `key` are who we are. */
export interface TlsIdentity {
  ca: string;
  cert: string;
  key: string;
}

/**
 * Reads an identity. `where` names it in errors, such as `bbs.tls`. Throws config_invalid for a file that is missing,
 * is no PEM, or a key that is not the certificate's. An expired certificate is not refused here: it may be renewed in
 * place before it is used, and its peer tells.
 */
export async function readIdentity(files: IdentityFiles, where: string): Promise<TlsIdentity> {
  const [ca, cert, key] = await Promise.all([
    read(files.ca_file, `${where}.ca_file`),
    read(files.cert_file, `${where}.cert_file`),
    read(files.key_file, `${where}.key_file`),
  ]);
  parse(() => new X509Certificate(ca), `${where}.ca_file`, files.ca_file, 'certificate');
  const own = parse(() => new X509Certificate(cert), `${where}.cert_file`, files.cert_file, 'certificate');
  const secret = parse(() => createPrivateKey(key), `${where}.key_file`, files.key_file, 'private key');
  if (!own.checkPrivateKey(secret))
    throw new UnikError('config_invalid', `${where}.key_file: ${files.key_file} is not the key of ${files.cert_file}`);
  return { ca, cert, key };
}

/** Throws config_invalid unless the certificate stands for this host, by a subject alternative name. */
export function requireHost({ cert }: TlsIdentity, host: string, where: string): void {
  const own = new X509Certificate(cert);
  const matched = isIP(host) ? own.checkIP(host) : own.checkHost(host);
  if (matched === undefined)
    throw new UnikError('config_invalid', `${where}.cert_file: the certificate is not one of ${host}`);
}

async function read(path: string, key: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (err) {
    throw new UnikError('config_invalid', `${key}: ${messageOf(err)}`, { cause: err });
  }
}

function parse<T>(attempt: () => T, key: string, path: string, what: string): T {
  try {
    return attempt();
  } catch (err) {
    // OpenSSL's words could quote the file: a key must not reach a log.
    throw new UnikError('config_invalid', `${key}: ${path} is not a PEM ${what}`, {
      cause: what === 'private key' ? undefined : err,
    });
  }
}

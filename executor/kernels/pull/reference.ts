import { UnikError } from '../../../core/errors.js';

/** Where a kernel package lies. */
export type KernelReference =
  /** A file under a name of its own, which must be of this digest. */
  | { kind: 'https'; url: string; digest: string }
  | { kind: 'oci'; registry: string; repository: string; tag: string; digest?: string };

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const OCI =
  /^(?:oci:\/\/)?([A-Za-z0-9.-]+(?::\d{1,5})?)\/([a-z0-9]+(?:[._/-]+[a-z0-9]+)*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/;

/**
 * `HOST/NAME[:TAG][@sha256:HEX]` of a registry (the first part holds a dot, a port, or is `localhost`), or
 * `https://HOST/PATH`, which needs a digest. Throws bad_request.
 */
export function parseReference(text: string, digest?: string): KernelReference {
  if (digest !== undefined && !DIGEST.test(digest))
    throw refused(`the digest ${JSON.stringify(digest)} is not sha256: and 64 hex digits`);
  if (/^https?:\/\//.test(text)) return fileReference(text, digest);
  const [, registry, repository, tag = 'latest', own] = OCI.exec(text) ?? [];
  if (registry === undefined || repository === undefined || !/[.:]|^localhost$/.test(registry)) {
    throw refused(`${JSON.stringify(text)} is neither HOST/NAME:TAG of a registry nor an https:// address`);
  }
  const wanted = digest ?? own;
  return { kind: 'oci', registry, repository, tag, ...(wanted === undefined ? {} : { digest: wanted }) };
}

function fileReference(text: string, digest: string | undefined): KernelReference {
  const url = new URL(text);
  if (url.username !== '' || url.password !== '')
    throw refused('an address with a password in it is not taken: it would be seen');
  if (url.protocol !== 'https:' && !isLoopback(url.hostname))
    throw refused(`${url.host}: plain http is only taken from this host`);
  if (digest === undefined)
    throw refused(`${text}: give its --digest sha256:HEX, as nothing else says that it is what you mean`);
  return { kind: 'https', url: url.href, digest };
}

/** Of this host: what it sends has not been on a wire. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

function refused(message: string): UnikError {
  return new UnikError('bad_request', message);
}

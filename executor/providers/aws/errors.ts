import { toUnikError, UnikError, type ErrorCode } from '../../../core/errors.js';

/** By the name of the service's error; what is not listed is `machine_failed`. */
const CODES: Record<string, ErrorCode> = {
  AuthFailure: 'provider_unavailable',
  InvalidClientTokenId: 'provider_unavailable',
  UnrecognizedClientException: 'provider_unavailable',
  SignatureDoesNotMatch: 'provider_unavailable',
  ExpiredToken: 'provider_unavailable',
  ExpiredTokenException: 'provider_unavailable',
  RequestExpired: 'provider_unavailable',
  UnauthorizedOperation: 'provider_unavailable',
  AccessDeniedException: 'provider_unavailable',
  CredentialsProviderError: 'provider_unavailable',
  OptInRequired: 'provider_unavailable',
  RequestLimitExceeded: 'provider_unavailable',
  ThrottlingException: 'provider_unavailable',
  InstanceLimitExceeded: 'insufficient_machines',
  VcpuLimitExceeded: 'insufficient_machines',
  MaxSpotInstanceCountExceeded: 'insufficient_machines',
  InsufficientInstanceCapacity: 'insufficient_machines',
  InsufficientFreeAddressesInSubnet: 'insufficient_machines',
  SnapshotLimitExceeded: 'insufficient_disk',
  ServiceQuotaExceededException: 'insufficient_disk',
};

export function nameOf(err: unknown): string {
  return typeof err === 'object' && err !== null && 'name' in err ? String(err.name) : '';
}

export function statusOf(err: unknown): number | undefined {
  if (typeof err !== 'object' || err === null || !('$metadata' in err)) return undefined;
  return (err.$metadata as { httpStatusCode?: number } | undefined)?.httpStatusCode;
}

export const isGone = (err: unknown): boolean =>
  /\.(NotFound|Unavailable)$|^InvalidInstanceID\.Malformed$/.test(nameOf(err));

/** What a failed call means to us: which call, and the service's own words, which hold no credential. */
export function awsError(err: unknown, call: string): UnikError {
  if (err instanceof UnikError) return err;
  const name = nameOf(err);
  const code =
    CODES[name] ??
    (statusOf(err) === undefined || (statusOf(err) ?? 0) >= 500 ? 'provider_unavailable' : 'machine_failed');
  // An encoded authorization failure is a page of text that tells people nothing.
  const message = toUnikError(err)
    .message.replace(/Encoded authorization failure message: \S+/, '')
    .slice(0, 500);
  return new UnikError(code, `${call}: ${name}: ${message.trim()}`, { cause: { name, status: statusOf(err) } });
}

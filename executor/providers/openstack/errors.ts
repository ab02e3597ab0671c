import { UnikError, type ErrorCode } from '../../../core/errors.js';

/** A call that a service refused, or that may have been lost on the way. */
export class OpenStackError extends UnikError {
  /** HTTP status; undefined: there was no answer. */
  readonly status: number | undefined;
  /** The service's own name for it, such as `conflictingRequest`, `OverQuota`. */
  readonly kind: string;

  constructor(call: string, { status, kind, message }: { status?: number | undefined; kind: string; message: string }) {
    const words = [status, kind, message.slice(0, 500)].filter((word) => word !== undefined && word !== '');
    super(codeOf(status, kind, message), `${call}: ${words.join(': ')}`);
    this.status = status;
    this.kind = kind;
  }

  /** Nobody knows whether it was carried out. */
  get uncertain(): boolean {
    return this.status === undefined || this.status >= 500;
  }
}

export const hasStatus = (err: unknown, ...statuses: number[]): boolean =>
  err instanceof OpenStackError && err.status !== undefined && statuses.includes(err.status);

export const isUncertain = (err: unknown): boolean => err instanceof OpenStackError && err.uncertain;

/** Pure. 403 is a quota at Nova, 409 one at Neutron, 413 one at Glance. */
export function codeOf(status: number | undefined, kind: string, message: string): ErrorCode {
  if (/quota/i.test(message) && /\bram\b/i.test(message)) return 'insufficient_memory';
  if (kind === 'OverQuota' || kind === 'IpAddressGenerationFailure' || (status === 403 && /quota/i.test(message))) {
    return 'insufficient_machines';
  }
  if (status === 413) return 'insufficient_disk';
  if (status === undefined || status >= 500 || [401, 403, 429].includes(status)) return 'provider_unavailable';
  return 'machine_failed';
}

/** Why a server became none: the scheduler's words and others'. */
export function faultCode(message: string): ErrorCode {
  return /no valid host|exceeded maximum number of retries|quota/i.test(message)
    ? 'insufficient_machines'
    : 'machine_failed';
}

/** Kind and message in the body of a refusal: each service has a form of its own. */
export function readRefusal(text: string): { kind: string; message: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Proxies, and Glance where it is not asked for JSON, answer in HTML.
    const title = /<title>([^<]*)<\/title>/i.exec(text)?.[1] ?? '';
    const body = text.replace(/<head>[\s\S]*?<\/head>/i, '').replace(/<[^>]*>/g, ' ');
    return { kind: title.replace(/^\d+ /, ''), message: body.replace(/\s+/g, ' ').trim() };
  }
  if (!isRecord(value)) return { kind: '', message: '' };
  if (typeof value['title'] === 'string') return { kind: value['title'], message: wordOf(value['message']) };
  const [[name, inner] = ['', undefined]] = Object.entries(value);
  if (!isRecord(inner)) return { kind: name, message: wordOf(inner) };
  return { kind: wordOf(inner['type']) || wordOf(inner['title']) || name, message: wordOf(inner['message']) };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const wordOf = (value: unknown): string => (typeof value === 'string' ? value : '');

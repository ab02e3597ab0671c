import type { CheckSpec } from '../../executor/model.js';

/** A look that failed, as far as its text needs it. */
export interface FailedLook {
  check: CheckSpec;
  why: 'refused' | 'timed_out' | 'status' | 'failed';
  /** Of `status`. */
  status?: number;
  took_ms: number;
  message: string;
  /** Of others that failed at the same time. */
  also?: FailedLook[];
}

/**
 * What Diego's healthcheck program writes (healthcheck `cmd/healthcheck/main.go`, `healthcheck.go`). `address` is the
 * machine's own.
 */
export function checkText(look: FailedLook, address: string): string {
  const { check, why, message } = look;
  switch (check.kind) {
    case 'process':
    case 'guest':
      return message;
    case 'port':
      return `failed to make TCP connection to ${address}:${check.port}: ${
        why === 'timed_out' ? timedOut(check.timeout_ms) : why === 'refused' ? refused(address, check.port) : message
      }`;
    case 'http':
      return `failed to make HTTP request to '${check.path}' on port ${check.port}: ${httpEnd(look, check.timeout_ms)}`;
  }
}

function httpEnd({ why, status, took_ms }: FailedLook, timeout_ms: number): string {
  if (why === 'status') return `received status code ${status ?? 0} in ${Math.round(took_ms)}ms`;
  // It calls everything else a refusal.
  return why === 'timed_out' ? timedOut(timeout_ms) : 'connection refused';
}

/** As Go words it. */
const refused = (address: string, port: number): string => `dial tcp ${address}:${port}: connect: connection refused`;

const timedOut = (timeout_ms: number): string => `timed out after ${(timeout_ms / 1000).toFixed(2)} seconds`;

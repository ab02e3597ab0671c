import type { CheckSpec } from '../../executor/model.js';

/** A look that failed, as far as its text needs it. */
export interface FailedLook {
  check: CheckSpec;
  why: 'refused' | 'timed_out' | 'status' | 'failed';
  /** Of `status`. */
  status?: number;
  took_ms: number;
  message: string;
}

/**
 * What Diego's healthcheck program writes (healthcheck `cmd/healthcheck/main.go`, `healthcheck.go`). `address` is the
 * machine's own.
 */
export function checkText(look: FailedLook, address: string): string {
  const { check, why, message } = look;
  switch (check.kind) {
    case 'process':
      return message;
    case 'port':
      return `failed to make TCP connection to ${address}:${check.port}: ${
        why === 'refused' ? 'connection refused' : why === 'timed_out' ? timedOut(check.timeout_ms) : message
      }`;
    case 'http':
      return `failed to make HTTP request to '${check.path}' on port ${check.port}: ${httpEnd(look, check.timeout_ms)}`;
  }
}

function httpEnd({ why, status, took_ms, message }: FailedLook, timeout_ms: number): string {
  if (why === 'status') return `received status code ${status ?? 0} in ${Math.round(took_ms)}ms`;
  if (why === 'timed_out') return timedOut(timeout_ms);
  return why === 'refused' ? 'connection refused' : message;
}

const timedOut = (timeout_ms: number): string => `timed out after ${(timeout_ms / 1000).toFixed(2)} seconds`;

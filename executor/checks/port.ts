import { performance } from 'node:perf_hooks';
import type { CheckSpec, MachineHandle } from '../model.js';
import type { Provider } from '../providers/provider.js';
import type { Finding } from './check.js';

/** Passes when the guest itself took a connection (design D11). A no before the time was up is a refusal. */
export async function checkPort(
  spec: Extract<CheckSpec, { kind: 'port' }>,
  provider: Provider,
  handle: MachineHandle,
  signal: AbortSignal,
): Promise<Finding | undefined> {
  const since = performance.now();
  const reached = await provider.reaches(handle, spec.port, spec.timeout_ms, signal);
  signal.throwIfAborted();
  if (reached) return undefined;
  // Timers may be a millisecond early.
  const why = performance.now() - since < spec.timeout_ms - 2 ? 'refused' : 'timed_out';
  return { why, message: `nothing took a connection on port ${spec.port} within ${spec.timeout_ms} ms` };
}

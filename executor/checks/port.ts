import type { CheckSpec, MachineHandle } from '../model.js';
import type { Provider } from '../providers/provider.js';
import type { CheckResult } from './check.js';

/** Passes when the guest itself took a connection (design D11). */
export async function checkPort(
  spec: Extract<CheckSpec, { kind: 'port' }>,
  provider: Provider,
  handle: MachineHandle,
  signal: AbortSignal,
): Promise<CheckResult> {
  const reached = await provider.reaches(handle, spec.port, spec.timeout_ms, signal);
  signal.throwIfAborted();
  return reached ? undefined : `nothing took a connection on port ${spec.port} within ${spec.timeout_ms} ms`;
}

import type { CheckSpec, MachineHandle } from '../model.js';
import type { Provider } from '../providers/provider.js';
import { checkHttp } from './http.js';
import { checkPort } from './port.js';
import { checkProcess } from './process.js';

/** undefined: it passed; else why not, for people. */
export type CheckResult = string | undefined;

/** One look at a machine. Never throws but for its signal. */
export type Check = (signal: AbortSignal) => Promise<CheckResult>;

export function makeCheck(spec: CheckSpec, provider: Provider, handle: MachineHandle): Check {
  switch (spec.kind) {
    case 'process':
      return checkProcess;
    case 'port':
      return (signal) => checkPort(spec, provider, handle, signal);
    case 'http':
      return (signal) => checkHttp(spec, provider.endpoint(handle, spec.port), signal);
  }
}

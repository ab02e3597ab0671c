import type { Clock } from '../../core/clock.js';
import type { CheckFailure, CheckSpec, MachineHandle } from '../model.js';
import type { Provider } from '../providers/provider.js';
import { checkGuest } from './guest.js';
import { checkHttp } from './http.js';
import { checkPort } from './port.js';
import { checkProcess } from './process.js';

/** Why one look failed, without what the caller knows: which check it was and how long it took. */
export type Finding = Omit<CheckFailure, 'check' | 'took_ms'>;

/** One look at a machine: undefined when it passed. Never throws but for its signal. */
export type Check = (signal: AbortSignal) => Promise<CheckFailure | undefined>;

export interface Subject {
  provider: Provider;
  handle: MachineHandle;
  clock: Clock;
}

/** All of these, one after the other; the first failure is the result. */
export function makeChecks(specs: readonly CheckSpec[], subject: Subject): Check {
  return async (signal) => {
    for (const check of specs) {
      const failure = await timed(check, subject, signal);
      if (failure) return failure;
    }
    return undefined;
  };
}

/** All of these at the same time; the first in their order that failed is the result, with all others that did. */
export function makeChecksOfAll(specs: readonly CheckSpec[], subject: Subject): Check {
  return async (signal) => {
    const found = await Promise.all(specs.map((check) => timed(check, subject, signal)));
    const [first, ...also] = found.filter((failure) => failure !== undefined);
    return first && also.length > 0 ? { ...first, also } : first;
  };
}

async function timed(check: CheckSpec, subject: Subject, signal: AbortSignal): Promise<CheckFailure | undefined> {
  const since = subject.clock.now();
  const finding = await look(check, subject, signal);
  return finding && { check, ...finding, took_ms: Math.round(subject.clock.now() - since) };
}

function look(spec: CheckSpec, { provider, handle }: Subject, signal: AbortSignal): Promise<Finding | undefined> {
  switch (spec.kind) {
    case 'process':
      return checkProcess();
    case 'guest':
      return checkGuest(provider, handle);
    case 'port':
      return checkPort(spec, provider, handle, signal);
    case 'http':
      return checkHttp(spec, provider.endpoint(handle, spec.port), signal);
  }
}

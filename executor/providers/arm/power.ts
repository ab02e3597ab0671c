import { readFile } from 'node:fs/promises';
import { messageOf, UnikError } from '../../../core/errors.js';
import { run } from '../../../core/process.js';
import type { PowerConfig } from './config.js';

const HOOK_MS = 15_000;
const TRIES = 3;

/** A board's power. Every word may be repeated. */
export interface Power {
  /** False: nobody can switch it. */
  readonly canSwitch: boolean;
  on(signal?: AbortSignal): Promise<void>;
  off(signal?: AbortSignal): Promise<void>;
  /** Undefined: it cannot be known. */
  isOn(signal?: AbortSignal): Promise<boolean | undefined>;
}

/** Throws machine_failed where a hook does not do as it is told; what a hook answers is not repeated, it may hold secrets. */
export function powerOf(board: string, config: PowerConfig): Power {
  if (config.kind === 'http') return httpPower(board, config);
  if (config.kind === 'command') return commandPower(config);
  const nothing = (): Promise<void> => Promise.resolve();
  return { canSwitch: false, on: nothing, off: nothing, isOn: () => Promise.resolve(undefined) };
}

function httpPower(board: string, config: Extract<PowerConfig, { kind: 'http' }>): Power {
  const call = async (what: string, { url, method }: { url: string; method: string }, signal?: AbortSignal) => {
    const headers = config.headers_file === undefined ? {} : await readHeaders(config.headers_file);
    for (let tries = 1; ; tries++) {
      try {
        const limit = AbortSignal.timeout(HOOK_MS);
        const reply = await fetch(url, { method, headers, signal: signal ? AbortSignal.any([signal, limit]) : limit });
        if (reply.ok) return await reply.text();
        throw new UnikError('machine_failed', `power ${what} of board ${board}: the hook answered ${reply.status}`);
      } catch (err) {
        signal?.throwIfAborted();
        if (tries === TRIES) {
          throw err instanceof UnikError
            ? err
            : new UnikError('machine_failed', `power ${what} of board ${board}: ${messageOf(err)}`, { cause: err });
        }
      }
    }
  };
  return {
    canSwitch: true,
    async on(signal) {
      await call('on', config.on, signal);
    },
    async off(signal) {
      await call('off', config.off, signal);
    },
    async isOn(signal) {
      if (!config.status) return undefined;
      const body = await call('status', { url: config.status.url, method: 'GET' }, signal);
      return new RegExp(config.status.on_when).test(body);
    },
  };
}

async function readHeaders(path: string): Promise<Record<string, string>> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Record<string, string>;
  } catch (err) {
    throw new UnikError('config_invalid', `headers_file ${path} cannot be read`, { cause: err });
  }
}

function commandPower(config: Extract<PowerConfig, { kind: 'command' }>): Power {
  const call = async ([program = '', ...args]: string[], signal?: AbortSignal): Promise<void> => {
    await run(program, args, { timeout_ms: HOOK_MS, signal, code: 'machine_failed' });
  };
  return {
    canSwitch: true,
    on: (signal) => call(config.on, signal),
    off: (signal) => call(config.off, signal),
    async isOn(signal) {
      if (!config.status) return undefined;
      try {
        await call(config.status, signal);
        return true;
      } catch (err) {
        if (/exit code 1\b/.test(messageOf(err))) return false;
        throw err;
      }
    },
  };
}

import type { Clock } from '../../../core/clock.js';
import { messageOf, UnikError, type ErrorCode } from '../../../core/errors.js';
import { run } from '../../../core/process.js';

const CALL_MS = 120_000;
const LOCK_MS = 30_000;

/** What a failed VBoxManage said, by the code that its second line names. */
export class VBoxError extends UnikError {
  constructor(
    code: ErrorCode,
    message: string,
    /** Such as `VBOX_E_OBJECT_NOT_FOUND`; empty where it named none. */
    readonly vbox: string,
  ) {
    super(code, message);
  }
}

/** Calls of VBoxManage, which all talk to one server process of this account. */
export class VBoxManage {
  constructor(
    private readonly program: string,
    private readonly clock: Clock,
  ) {}

  /** Its standard output. Throws VBoxError. A machine that another call holds is waited for. */
  async call(args: readonly string[], signal?: AbortSignal): Promise<string> {
    const deadline = this.clock.now() + LOCK_MS;
    for (let pause_ms = 250; ; pause_ms = Math.min(5_000, pause_ms * 2)) {
      try {
        return await this.#once(args, signal);
      } catch (err) {
        const locked = err instanceof VBoxError && err.vbox === 'VBOX_E_INVALID_OBJECT_STATE';
        if (!locked || this.clock.now() > deadline) throw err;
        await this.clock.sleep(pause_ms, signal);
      }
    }
  }

  async #once(args: readonly string[], signal?: AbortSignal): Promise<string> {
    const what = args.slice(0, 2).join(' ');
    try {
      const { stdout, stderr } = await run(this.program, args, {
        ...{ timeout_ms: CALL_MS, signal, code: 'machine_failed' as const },
      });
      // Some failures exit with 0 all the same.
      if (errorLine(stderr) === undefined) return stdout;
      throw readError(what, stderr);
    } catch (err) {
      if (err instanceof VBoxError) throw err;
      signal?.throwIfAborted();
      throw readError(what, messageOf(err));
    }
  }
}

function errorLine(text: string): string | undefined {
  return /^VBoxManage(?:\.exe)?: error: (.*)$/m.exec(text)?.[1];
}

const MISSING_DRIVER =
  /VERR_VM_DRIVER_NOT_INSTALLED|VERR_VMX_NO_VMX|VERR_SVM_NO_SVM|VERR_SVM_DISABLED|VERR_VMX_IN_VMX_ROOT_MODE|kernel driver .* is not loaded/;

/** Pure: what VBoxManage's words mean to us. */
export function readError(what: string, text: string): VBoxError {
  const vbox = /Details: code (\w+)/.exec(text)?.[1] ?? '';
  const words = errorLine(text) ?? text.split('\n').slice(0, 3).join(' ');
  const locked = /already locked (?:for|by) a session/.test(text);
  const gone = /Could not find a registered machine/.test(text);
  const code = MISSING_DRIVER.test(text) || /ENOENT|not found$/.test(text) ? 'provider_unavailable' : 'machine_failed';
  const known = locked ? 'VBOX_E_INVALID_OBJECT_STATE' : gone ? 'VBOX_E_OBJECT_NOT_FOUND' : vbox;
  return new VBoxError(code, `VBoxManage ${what}: ${words}`, known);
}

/** `showvminfo --machinereadable`: keys that hold spaces or dashes are quoted themselves. Pure. */
export function readInfo(text: string): Map<string, string> {
  const facts = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const [, key, quoted, bare] = /^"?([^"=]+)"?=(?:"(.*)"|(.*))$/.exec(line) ?? [];
    if (key !== undefined) facts.set(key, quoted ?? bare ?? '');
  }
  return facts;
}

/** `list vms`: names; one that cannot be read has none. Pure. */
export function readNames(text: string): string[] {
  return [...text.matchAll(/^"(.*)" \{[0-9a-f-]+\}\s*$/gm)]
    .map(([, name = '']) => name)
    .filter((name) => name !== '<inaccessible>');
}

/** The major version, of `7.0.20r163906` or `6.1.50_Debianr161033`. */
export function majorVersion(text: string): number {
  // A warning about a missing kernel module comes before it.
  const version = /^(\d+)\.\d+\.\d+/m.exec(text)?.[1];
  if (version === undefined) throw new UnikError('provider_unavailable', `VBoxManage --version: ${text.slice(0, 200)}`);
  return Number(version);
}

import { posix } from 'node:path';
import type { CheckSpec } from '../../executor/model.js';
import type { Action, Check, CheckDefinition, RunAction } from '../../protos/generated.js';
import type { HealthOrder } from '../cell/model.js';
import type { CheckDefaults } from './context.js';
import { goMillis } from '../../core/go-format.js';

export interface Checked {
  check_definition?: CheckDefinition;
  monitor?: Action;
  start_timeout_ms: bigint;
  /** Published ones, in order. */
  ports: readonly number[];
}

const HEALTH_SOURCE = 'HEALTH';
const ASK_MS = 1000;

/**
 * A check definition wins over a monitor (executor `transformer.go`); without both there is nothing to wait for.
 * `inside`: the monitor runs in the machine, and is asked.
 */
export function healthOf(what: Checked, defaults: CheckDefaults, inside = false): HealthOrder {
  const { check_definition, monitor } = what;
  const frame = { start_timeout_ms: Number(what.start_timeout_ms), startup_interval_ms: defaults.startup_interval_ms };
  if (check_definition) {
    const timed = (check: Check): HealthOrder['liveness'] => declared(check, defaults);
    const liveness = check_definition.checks.flatMap(timed);
    return {
      ...frame,
      startup: liveness.map(({ check }) => check),
      liveness,
      readiness: check_definition.readiness_checks.flatMap(timed),
      log_source: check_definition.log_source || HEALTH_SOURCE,
    };
  }
  const runs = monitor ? runsIn(monitor) : [];
  const outside = (): CheckSpec[] => unique(runs.flatMap((run) => monitored(run, what.ports, defaults)));
  const startup: CheckSpec[] = inside ? [{ kind: 'guest' }] : outside();
  // The machine keeps to the intervals itself; asking it costs nothing.
  const interval_ms = inside ? ASK_MS : defaults.interval_ms;
  return {
    ...frame,
    startup,
    liveness: startup.map((check) => ({ check, interval_ms })),
    readiness: [],
    log_source: runs[0]?.log_source || HEALTH_SOURCE,
  };
}

function declared({ tcp_check, http_check }: Check, defaults: CheckDefaults): HealthOrder['liveness'] {
  const or = (given: bigint, otherwise: number): number => (given > 0n ? Number(given) : otherwise);
  if (http_check) {
    const { port, path, request_timeout_ms, interval_ms } = http_check;
    const timeout_ms = or(request_timeout_ms, defaults.timeout_ms);
    return [
      {
        check: { kind: 'http', port, path: path || '/', timeout_ms },
        interval_ms: or(interval_ms, defaults.interval_ms),
      },
    ];
  }
  if (!tcp_check) return [];
  const { port, connect_timeout_ms, interval_ms } = tcp_check;
  return [
    {
      check: { kind: 'port', port, timeout_ms: or(connect_timeout_ms, defaults.timeout_ms) },
      interval_ms: or(interval_ms, defaults.interval_ms),
    },
  ];
}

function runsIn(action: Action): RunAction[] {
  if (action.run_action) return [action.run_action];
  const inner = action.timeout_action?.action ?? action.emit_progress_action?.action ?? action.try_action?.action;
  const several = action.parallel_action ?? action.serial_action ?? action.codependent_action;
  return [...(inner ? [inner] : []), ...(several?.actions ?? [])].flatMap(runsIn);
}

/** A monitor runs inside a container; a unikernel is looked at from outside, on the port that the monitor means. */
function monitored(run: RunAction, ports: readonly number[], { timeout_ms }: CheckDefaults): CheckSpec[] {
  const program = posix.basename(run.path);
  if (program === 'true') return [];
  const [first = 8080] = ports;
  if (program !== 'healthcheck') {
    return [{ kind: 'port', port: namedPort([run.path, ...run.args].join(' '), ports) ?? first, timeout_ms }];
  }
  const flags = flagsOf(run.args);
  const port = Number(flags.get('port') ?? first);
  const limit = goMillis(flags.get('timeout') ?? '') ?? timeout_ms;
  const path = flags.get('uri') ?? '';
  return [path === '' ? { kind: 'port', port, timeout_ms: limit } : { kind: 'http', port, path, timeout_ms: limit }];
}

/** Flags as Go's `flag` package reads them: `-name=value`, `--name=value`, `-name value`. */
function flagsOf(args: readonly string[]): Map<string, string> {
  const flags = new Map<string, string>();
  for (const [at, arg] of args.entries()) {
    const [, name, value] = /^--?([^=-][^=]*)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name !== undefined) flags.set(name, value ?? args[at + 1] ?? '');
  }
  return flags;
}

/** `nc -z 127.0.0.1 8080`, `curl http://localhost:8080/ping`: the port after a local address, or one of the LRP's. */
function namedPort(text: string, ports: readonly number[]): number | undefined {
  const local = /(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\])[:\s]+(\d{1,5})\b/.exec(text)?.[1];
  if (local !== undefined) return Number(local);
  return (text.match(/\b\d{1,5}\b/g) ?? []).map(Number).find((port) => ports.includes(port));
}

function unique(checks: CheckSpec[]): CheckSpec[] {
  return [...new Map(checks.map((check) => [JSON.stringify(check), check])).values()];
}

import { PHASES, type Exit, type Phase } from '../../../executor/model.js';
import type { Line } from '../../logs/voice.js';
import type { Container, RunOrder } from '../model.js';
import type { EndedContainer, Words } from './words.js';

const rank = (phase: Phase): number => PHASES.indexOf(phase);
const say = (text: string, source?: string, stream: Line['stream'] = 'out'): Line => ({
  text,
  stream,
  ...(source === undefined ? {} : { source }),
});

/** Set to `off` by a user who wants only what the application says: `cf set-env APP UNIK_KERNEL_LOG off`. */
const KERNEL_LOG = 'UNIK_KERNEL_LOG';

/** Are lines of the guest's kernel told? They are unless the application's environment says otherwise. */
export function tellsKernel({ launch }: Pick<RunOrder, 'launch'>): boolean {
  const [, value] = launch.env.findLast(([name]) => name === KERNEL_LOG) ?? [];
  return value !== 'off';
}

export interface Progress {
  told: Phase;
  /** Where it is, or was last before its end. */
  reached: Phase;
  before: Container;
  now: Container;
  /** We are ending it: that it takes no more traffic is nothing its readiness check found. */
  ending: boolean;
}

/**
 * What is said when a container has come from `told` to where it is now, in order: states that went by unseen are
 * told as well. Its end is told by `lastLines`.
 */
export function progressLines({ told, reached, before, now, ending }: Progress, words: Words): Line[] {
  const { order } = now;
  if (!order) return [];
  const passes = (phase: Phase): boolean => rank(told) < rank(phase) && rank(phase) <= rank(reached);
  const { health, logs } = order;
  const watched = health.startup.length + health.liveness.length > 0;
  const lines: Line[] = [];
  if (passes('created')) {
    lines.push(say(words.created(now.reservation.guid)));
    for (const notice of order.notices ?? []) lines.push(say(notice));
    if (watched) lines.push(say(words.monitoring, logs.source));
    if (health.readiness.length > 0) lines.push(say(words.readinessMonitoring, health.log_source));
  }
  if (passes('running') && watched) lines.push(say(words.healthy, logs.source));
  if (health.readiness.length > 0 && now.state === 'running' && now.routable !== before.routable && !ending) {
    lines.push(say(now.routable ? words.ready : words.notReady, health.log_source));
  }
  return lines;
}

/** The last state before the end, as far as the machine got. */
export function furthest(now: Container, exit: Exit | undefined): Phase {
  if (now.state !== 'completed') return now.state;
  if (!exit || exit.reason === 'boot_failed') return 'initializing';
  return now.running_at === undefined ? 'created' : 'running';
}

/** What is said once a machine has ended and all it said itself was told. */
export function lastLines(end: EndedContainer, words: Words): Line[] {
  const { exit, order, reservation, stopped } = end;
  const { health, logs, launch } = order;
  const lines: Line[] = [];
  const why = words.checkFailure(end);
  if (why !== undefined) lines.push(say(why, health.log_source, 'err'));
  if (exit.reason === 'start_timeout') lines.push(say(words.neverHealthy(health.start_timeout_ms), logs.source, 'err'));
  if (exit.reason === 'unhealthy') lines.push(say(words.unhealthy, logs.source, 'err'));
  if (exit.reason === 'boot_failed' && !stopped) {
    lines.push(say(words.failedToCreate(reservation.guid, exit.message), undefined, 'err'));
  }
  const status = words.exitStatus(end);
  if (status !== undefined && !launch.suppress_output) lines.push(say(status, launch.log_source));
  return lines;
}

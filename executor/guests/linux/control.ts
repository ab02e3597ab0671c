import { constants } from 'node:os';
import { z } from 'zod';
import { jsonOf } from '../../../core/json.js';
import type { MachineExit } from '../../providers/provider.js';
import type { EndSign } from '../guest.js';

/** What init says on `unik.control` (docs/guest-protocol.md). */
const eventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('waiting') }),
  /** Which address DHCP gave it. */
  z.object({ event: z.literal('address'), address: z.string() }),
  z.object({ event: z.literal('started') }),
  z.object({ event: z.literal('oom') }),
  z.object({ event: z.literal('ended'), program: z.number().int(), code: z.number().int() }),
  z.object({ event: z.literal('monitor'), passed: z.boolean() }),
  z.object({ event: z.literal('result'), base64: z.base64().optional(), error: z.string().optional() }),
  z.object({ event: z.literal('exit'), code: z.number().int(), signal: z.number().int().optional() }),
  z.object({ event: z.literal('failed'), code: z.number().int(), message: z.string() }),
]);
export type ControlEvent = z.infer<typeof eventSchema>;

/** Lines that are no event are skipped: a newer init may say more. */
export function parseControl(text: string): ControlEvent[] {
  return text.split('\n').flatMap((line) => {
    const parsed = eventSchema.safeParse(jsonOf(line));
    return parsed.success ? [parsed.data] : [];
  });
}

/** Has the guest taken its config? Then it need not be delivered again. */
export function hasConfig(events: readonly ControlEvent[]): boolean {
  return events.some(({ event }) => event === 'started' || event === 'failed' || event === 'exit');
}

export interface EndFacts {
  events: readonly ControlEvent[];
  /** Reason of QEMU's SHUTDOWN event, such as `guest-shutdown`, where we were there to hear it. */
  shutdown?: string | undefined;
  /** The last of the serial console. */
  serialTail: string;
  /** The last QEMU wrote to its standard error, for an end nobody asked for. */
  log: string;
  /** How the guest is talked to; default virtio-serial. */
  channel?: 'virtio-serial' | 'firmware' | 'serial';
  /** What the console told before the machine was ended for it. */
  told?: MachineExit | undefined;
  /** What may stand on the console. */
  signs?: readonly EndSign[];
  /** What the program exited with, for a guest that ends through a port of its own, or in none but its process. */
  status?: number | undefined;
  /** Which signal ended the program instead. */
  signal?: string | undefined;
}

/** Why the machine ended, from what it left behind. Pure. */
export function exitOf(facts: EndFacts): MachineExit {
  const { events, shutdown, serialTail, log, channel = 'virtio-serial', told, signs = [], status } = facts;
  const failed = events.find((event) => event.event === 'failed');
  if (failed) return { reason: 'boot_failed', code: failed.code, message: failed.message };
  const oom = events.some(({ event }) => event === 'oom');
  const exit = events.find((event) => event.event === 'exit');
  if (exit) {
    const signal = signalName(exit.signal);
    const how = signal === undefined ? `with status ${exit.code}` : `by ${signal}`;
    return {
      reason: oom ? 'oom' : 'exited',
      code: exit.code,
      ...(signal === undefined ? {} : { signal }),
      ...resultOf(events),
      ...programsOf(events),
      message: oom ? 'out of memory' : `the application ended ${how}`,
    };
  }
  if (oom) return { reason: 'oom', message: 'out of memory' };
  const sign = told ?? signOf(serialTail, signs)?.exit;
  if (sign) return sign;
  // The device makes an odd number of every status; QEMU's own are others.
  if (status !== undefined && status % 2 === 1 && (status > 1 || shutdown === undefined)) {
    return { reason: 'exited', code: status >> 1, message: `the application ended with status ${status >> 1}` };
  }
  const panic = /Kernel panic - (?:not syncing: )?(.*)/.exec(serialTail);
  if (panic) return { reason: 'kernel_panic', message: `the guest's kernel panicked: ${(panic[1] ?? '').trim()}` };
  if (shutdown?.startsWith('guest-')) {
    if (channel === 'serial') return { reason: 'exited', message: 'the guest powered off' };
    return hasConfig(events)
      ? { reason: 'killed', message: 'the guest powered off without telling how the application ended' }
      : { reason: 'boot_failed', message: 'the guest powered off before the application started' };
  }
  const words = log.trim();
  return { reason: 'killed', message: `the machine's process ended${words ? `: ${words}` : ''}` };
}

/** The first of the signs that stands in the text, and how the machine then ended. Pure. */
export function signOf(text: string, signs: readonly EndSign[]): { exit: MachineExit; cut: boolean } | undefined {
  for (const { pattern, reason, message, hasCode, cut } of signs) {
    const found = new RegExp(pattern).exec(text);
    if (!found) continue;
    const first = (found[1] ?? '').trim();
    const code = hasCode ? { code: Number(first) & 0xff } : {};
    return { exit: { reason, ...code, message: message.replace('$1', () => first) }, cut: cut === true };
  }
  return undefined;
}

function resultOf(events: readonly ControlEvent[]): Pick<MachineExit, 'result'> {
  const told = events.find((event) => event.event === 'result');
  if (!told) return {};
  if (told.base64 === undefined) return { result: { error: told.error ?? 'it did not arrive' } };
  return { result: { content: Buffer.from(told.base64, 'base64').toString('utf8') } };
}

function programsOf(events: readonly ControlEvent[]): Pick<MachineExit, 'programs'> {
  const programs = events.flatMap((event) =>
    event.event === 'ended' ? [{ program: event.program, code: event.code }] : [],
  );
  return programs.length === 0 ? {} : { programs };
}

/** What the monitor said last. */
export function monitorOf(events: readonly ControlEvent[]): boolean | undefined {
  return events.findLast((event) => event.event === 'monitor')?.passed;
}

function signalName(number: number | undefined): string | undefined {
  if (number === undefined || number === 0) return undefined;
  const entry = Object.entries(constants.signals).find(([, value]) => value === number);
  return entry?.[0] ?? `signal ${number}`;
}

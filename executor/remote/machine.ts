import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import { Turns } from '../../core/turns.js';
import { consoleDelta } from '../console/frames.js';
import { exitOf, hasConfig, parseControl, type ControlEvent } from '../guests/linux/control.js';
import type { MachineExit } from '../providers/provider.js';
import { sayToGuest } from './door.js';
import type { Driver, Ref, RemoteMachine } from './driver.js';
import type { Forwards } from './forward.js';
import type { RemoteRecord } from './record.js';
import type { Spool } from './spool.js';

/** How often the provider is asked, and how long one waits for it. Milliseconds. */
export interface Pace {
  /** State of all machines. */
  state_ms: number;
  /** Serial line of each. */
  serial_ms: number;
  /** How long after its end a machine's last words may still come. */
  settle_ms: number;
  /** How long a machine that said it ended may take to power off. */
  power_off_ms: number;
  /** How long a new machine may be missing from the provider's lists. */
  appear_ms: number;
  /** How long until a machine is running and has its address. */
  start_ms: number;
}

export const PACE: Pace = {
  ...{ state_ms: 5_000, serial_ms: 3_000, settle_ms: 30_000 },
  ...{ power_off_ms: 30_000, appear_ms: 60_000, start_ms: 300_000 },
};

interface Parts {
  driver: Driver;
  spool: Spool;
  forwards: Forwards | undefined;
  pace: Pace;
  clock: Clock;
  log: Log;
  token: string;
  /** Keeps the exit. */
  save(record: RemoteRecord): Promise<void>;
}

/** One machine elsewhere as long as we look after it: reads its serial line, and knows when it has ended and how. */
export class RemoteLive {
  readonly exit: Promise<MachineExit>;
  readonly #closed = new AbortController();
  #ended!: (exit: MachineExit) => void;
  #events: ControlEvent[] = [];
  #over = false;
  #noting = false;
  #cut = false;
  #told_at: number | undefined;
  readonly #hearing = new Turns();
  readonly #since: number;

  constructor(
    public record: RemoteRecord,
    private readonly parts: Parts,
  ) {
    this.#since = parts.clock.now();
    this.exit = new Promise((resolve) => (this.#ended = resolve));
    if (record.exit) this.#finish(record.exit);
    else void this.#listen();
  }

  get over(): boolean {
    return this.#over;
  }

  get spool(): Spool {
    return this.parts.spool;
  }

  get ref(): Ref {
    return { key: this.record.key, owner: this.record.owner, id: this.record.id ?? '' };
  }

  /** Stops looking; the machine goes on. */
  close(): void {
    this.#closed.abort(new Error('closed'));
    this.parts.forwards?.close();
  }

  /** What the provider's list says of it; undefined: it is not there. Ends when it has been dealt with. */
  async note(found: RemoteMachine | undefined): Promise<void> {
    if (this.#over || this.#noting || this.#closed.signal.aborted) return;
    this.#noting = true;
    try {
      await this.#note(found);
    } catch (err) {
      this.parts.log.warn({ err, key: this.record.key }, 'remote.not-noted');
    } finally {
      this.#noting = false;
    }
  }

  async #note(found: RemoteMachine | undefined): Promise<void> {
    const { clock, pace } = this.parts;
    if (!found && clock.now() - this.#since < pace.appear_ms && !this.#cut && this.#told_at === undefined) return;
    if (found && found.state !== 'ended') {
      // It said that it ended and does not: nobody but us will end it.
      const late = this.#told_at !== undefined && clock.now() - this.#told_at > pace.power_off_ms;
      if (late) await this.powerOff();
      return;
    }
    await this.#lastWords();
    if (this.#over || this.#closed.signal.aborted) return;
    const serialTail = await this.parts.spool.kernelTail();
    // Its power went off; where we did not cut it, the guest did.
    const shutdown = this.#cut ? undefined : 'guest-shutdown';
    const exit = exitOf({ events: this.#events, shutdown, serialTail, log: '' });
    this.record = { ...this.record, exit };
    await this.parts.save(this.record);
    this.#finish(exit);
  }

  async say(command: unknown, timeout_ms: number): Promise<boolean> {
    const { address } = this.record;
    if (address === undefined || this.#over) return false;
    return sayToGuest({ address, token: this.parts.token, timeout_ms }, command);
  }

  async powerOff(): Promise<void> {
    this.#cut = true;
    if (!this.#over) await this.parts.driver.powerOff(this.ref);
  }

  #finish(exit: MachineExit): void {
    this.#over = true;
    this.parts.forwards?.close();
    this.parts.spool.end();
    this.#ended(exit);
  }

  async #listen(): Promise<void> {
    const { clock, pace, log } = this.parts;
    await this.#understand();
    while (!this.#over && !this.#closed.signal.aborted) {
      try {
        await this.#hear();
      } catch (err) {
        log.warn({ err, key: this.record.key }, 'serial.unreadable');
      }
      await clock.sleep(pace.serial_ms, this.#closed.signal).catch(() => undefined);
    }
  }

  /** Takes what the serial line has said since. True: something came. One at a time, else a part counts twice as read. */
  #hear(): Promise<boolean> {
    return this.#hearing.take(() => this.#hearOnce());
  }

  async #hearOnce(): Promise<boolean> {
    const { driver, spool } = this.parts;
    const { serial } = driver;
    if (serial.kind === 'after') {
      const bytes = await serial.read(this.ref, spool.read);
      if (!bytes || bytes.length === 0) return false;
      await spool.take(bytes);
    } else {
      const now = await serial.read(this.ref);
      if (!now || now.equals(spool.tail)) return false;
      const { added, gap } = consoleDelta(spool.tail, now);
      if (gap) this.parts.log.warn({ key: this.record.key }, 'serial.gap');
      await spool.take(added, now);
    }
    await this.#understand();
    return true;
  }

  async #understand(): Promise<void> {
    const { spool, clock } = this.parts;
    this.#events = parseControl(await spool.control());
    if (this.#events.some(({ event }) => event === 'exit' || event === 'failed')) this.#told_at ??= clock.now();
    // A kernel that died waits for somebody to read why.
    if (!this.#cut && this.#told_at === undefined && (await spool.kernelTail()).includes('Kernel panic - ')) {
      this.#told_at = clock.now();
      await this.powerOff();
    }
  }

  /** The line is read to its end, which a provider may show later than the end of the machine. */
  async #lastWords(): Promise<void> {
    const { clock, pace, log } = this.parts;
    const patience =
      this.#cut || !hasConfig(this.#events) ? Math.min(pace.settle_ms, 2 * pace.serial_ms) : pace.settle_ms;
    const deadline = clock.now() + patience;
    for (;;) {
      try {
        if (await this.#hear()) continue;
      } catch (err) {
        log.warn({ err, key: this.record.key }, 'serial.unreadable');
      }
      const told = this.#events.some(({ event }) => event === 'exit' || event === 'failed');
      if (told || clock.now() >= deadline || this.#closed.signal.aborted) return;
      await clock.sleep(Math.min(pace.serial_ms, 500), this.#closed.signal).catch(() => undefined);
    }
  }
}

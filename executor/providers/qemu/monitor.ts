import type { Clock } from '../../../core/clock.js';
import { isAlive, type ProcessIdentity } from '../../../core/process.js';
import { exitOf, type EndFacts } from '../../guests/linux/control.js';
import type { MachineExit } from '../provider.js';
import { FILES } from './args.js';
import { Qmp } from './qmp.js';
import type { Running } from './running.js';

const FIRST_LOOK_MS = 5;

/** A running QEMU, by its two QMP sockets. */
export class Monitor implements Running {
  readonly up: Promise<void>;
  readonly ended: Promise<void>;
  #isUp: () => void = () => undefined;
  #shutdown: string | undefined;

  constructor(
    private readonly who: ProcessIdentity,
    /** Where its sockets are. */
    private readonly dir: string,
    private readonly clock: Clock,
    private readonly signal: AbortSignal,
  ) {
    this.up = new Promise((resolve) => (this.#isUp = resolve));
    this.ended = this.#watch();
  }

  pressPower(): Promise<void> {
    return this.#ask((qmp) => qmp.execute('system_powerdown'));
  }

  giveCommandLine(cmdline: string): Promise<void> {
    return this.#ask(async (qmp) => {
      await qmp.execute('qom-set', { path: '/machine', property: 'append', value: cmdline });
      await qmp.execute('x-exit-preconfig');
    });
  }

  exitOf(facts: EndFacts): MachineExit {
    return exitOf({ ...facts, shutdown: this.#shutdown });
  }

  async #ask(use: (qmp: Qmp) => Promise<unknown>): Promise<void> {
    const qmp = await Qmp.connect(this.dir, FILES.commands, { signal: this.signal });
    try {
      await use(qmp);
    } finally {
      qmp.close();
    }
  }

  /** QEMU's event socket closes the moment it dies; the process table has the last word. */
  async #watch(): Promise<void> {
    const { signal } = this;
    let pause_ms = FIRST_LOOK_MS;
    while (await isAlive(this.who)) {
      signal.throwIfAborted();
      try {
        const qmp = await Qmp.connect(this.dir, FILES.events, { signal, onEvent: (event) => this.#note(event) });
        pause_ms = FIRST_LOOK_MS;
        this.#isUp();
        await qmp.closed;
      } catch {
        // Not up yet, or going down: the process table decides.
      }
      signal.throwIfAborted();
      await this.clock.sleep(pause_ms, signal);
      // Found at most a fifth later than it came: a command line given over it waits for this.
      pause_ms = Math.min(pause_ms * 1.2, 1_000);
    }
  }

  #note({ event, data }: { event: string; data?: Record<string, unknown> }): void {
    if (event === 'SHUTDOWN') this.#shutdown = String(data?.['reason']);
  }
}

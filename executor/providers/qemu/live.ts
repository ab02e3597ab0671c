import { once, setMaxListeners } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import type { Clock } from '../../../core/clock.js';
import { hasCode, UnikError } from '../../../core/errors.js';
import type { Log } from '../../../core/log.js';
import { isAlive, kill } from '../../../core/process.js';
import type { EndSign } from '../../guests/guest.js';
import { hasConfig, signOf, type ControlEvent, type EndFacts } from '../../guests/linux/control.js';
import type { MachineExit } from '../provider.js';
import { FILES } from './args.js';
import { Changes } from './changes.js';
import { readControl, serialTail } from './control.js';
import { launchLog } from './launch.js';
import { Monitor } from './monitor.js';
import { connectUnix } from './qmp.js';
import type { MachineFolder, MachineRecord } from './record.js';
import type { Running } from './running.js';
import { TenderProcess } from './tender.js';

/** How long a guest that was asked to end may take beyond its grace to power off. */
const POWER_OFF_MS = 3_000;
const [SIGKILL, SIGTERM] = [9, 15];

/** One machine that has (or had) a process, as long as we look after it. Nothing here outlives us: all can be made anew. */
export class LiveMachine {
  /** Resolves once its process is gone. */
  readonly ended: Promise<void>;
  /** Resolves once its program can be talked to. */
  readonly up: Promise<void>;
  /** Resolves once the guest has taken its config, or never will. */
  readonly taken: Promise<void>;
  readonly #running: Running;
  /** What the console told. */
  #told: MachineExit | undefined;
  #exit: Promise<MachineExit> | undefined;
  #config: Promise<Socket> | undefined;
  readonly #detach = new AbortController();

  constructor(
    readonly record: MachineRecord & { qemu: NonNullable<MachineRecord['qemu']> },
    readonly folder: MachineFolder,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {
    setMaxListeners(0, this.#detach.signal);
    this.#running = record.tender
      ? new TenderProcess(record.qemu, clock, this.#detach.signal)
      : new Monitor(record.qemu, folder.vm, clock, this.#detach.signal);
    this.up = this.#running.up;
    this.ended = this.#running.ended;
    this.ended.catch(() => undefined);
    this.taken = this.#channel === 'virtio-serial' ? this.#deliver() : this.#giveCommandLine();
    if (this.#signs.some(({ cut }) => cut)) void this.#watchConsole();
  }

  get #channel(): 'virtio-serial' | 'firmware' | 'serial' {
    return this.record.guest?.channel ?? 'virtio-serial';
  }

  get #signs(): readonly EndSign[] {
    return this.record.guest?.end_signs ?? [];
  }

  /** Stops looking; the machine goes on. */
  forget(): void {
    this.#detach.abort();
    void this.#config?.then(
      (socket) => socket.destroy(),
      () => undefined,
    );
  }

  exit(): Promise<MachineExit> {
    this.#exit ??= this.ended.then(async () => this.#running.exitOf(await this.#facts()));
    return this.#exit;
  }

  /** SIGTERM by the guest's init, then power-off; what does not comply within grace is cut. */
  async stop(graceMs: number): Promise<void> {
    if (this.#channel !== 'virtio-serial') {
      if (graceMs > 0 && (await this.#pressPower()) && (await this.#endsWithin(graceMs))) return;
      await this.cut();
      return;
    }
    if (hasConfig(await this.events()) && (await this.#command({ stop: { grace_ms: graceMs } }))) {
      if (await this.#endsWithin(graceMs + POWER_OFF_MS)) return;
    }
    await this.cut();
  }

  async signal(number: number): Promise<void> {
    if (this.#channel !== 'virtio-serial') {
      if (number === SIGKILL) {
        await this.cut();
        return;
      }
      if (number === SIGTERM && (await this.#pressPower())) return;
      throw new UnikError('not_supported', 'the guest takes no signals: stop the machine');
    }
    const started = hasConfig(await this.events());
    if (started && (await this.#command({ signal: number })) && number !== 9) return;
    if (number === 9 && !(started && (await this.#endsWithin(POWER_OFF_MS)))) await this.cut();
  }

  /** Power off, now. */
  async cut(): Promise<void> {
    await kill(this.record.qemu, 'SIGKILL');
    await this.ended;
  }

  events(): Promise<ControlEvent[]> {
    return readControl(this.folder);
  }

  async #facts(): Promise<EndFacts> {
    const [events, tail, log] = await Promise.all([this.events(), serialTail(this.folder), launchLog(this.folder)]);
    const { guest, tender } = this.record;
    const last = guest?.exit_port === true || tender !== undefined ? await this.#exitStatus() : {};
    return { events, serialTail: tail, log, channel: this.#channel, signs: this.#signs, told: this.#told, ...last };
  }

  /** Written by the process of ours that started it, a moment after it is gone; nothing where that one was gone. */
  async #exitStatus(): Promise<Pick<EndFacts, 'status' | 'signal'>> {
    for (let tries = 0; tries < 10; tries++) {
      const text = await readFile(this.folder.exitStatus, 'utf8').catch(() => undefined);
      // Empty while it is being written.
      if (text) return text.startsWith('SIG') ? { signal: text } : { status: Number(text) };
      await this.clock.sleep(50);
    }
    return {};
  }

  /** False: the guest has none, or the machine is gone. */
  async #pressPower(): Promise<boolean> {
    if (this.record.guest?.power_button !== true) return false;
    try {
      await this.#running.pressPower();
      return true;
    } catch (err) {
      this.log.debug({ err }, 'qemu.no-power-button');
      return false;
    }
  }

  /**
   * A command line that holds what is not for everybody's eyes is given over QMP, before the machine is built. The file
   * with it is kept till then, so that a later process of ours does it again if this one dies.
   */
  async #giveCommandLine(): Promise<void> {
    try {
      const cmdline = await readFile(this.folder.config, 'utf8');
      await this.up;
      await this.#running.giveCommandLine(cmdline);
      await rm(this.folder.config, { force: true });
    } catch (err) {
      if (hasCode(err, 'ENOENT') || this.#detach.signal.aborted) return;
      this.log.warn({ err }, 'qemu.command-line-not-given');
      // It would wait for ever.
      await this.cut();
    }
  }

  /** Ends a machine whose console says that it is over, and whose kernel goes on. */
  async #watchConsole(): Promise<void> {
    const changes = new Changes(this.folder.vm);
    const over = new AbortController();
    const finish = (): void => {
      over.abort();
      changes.wake();
    };
    void this.ended.then(finish, finish);
    try {
      while (!over.signal.aborted) {
        const sign = signOf(await serialTail(this.folder), this.#signs);
        if (sign?.cut) {
          this.#told = sign.exit;
          await this.cut();
          return;
        }
        await changes.next(5_000);
      }
    } catch (err) {
      if (!this.#detach.signal.aborted) this.log.debug({ err }, 'qemu.console-not-watched');
    } finally {
      changes.close();
    }
  }

  async #endsWithin(ms: number): Promise<boolean> {
    const timer = new AbortController();
    const late = this.clock.sleep(ms, timer.signal).then(
      () => false,
      () => false,
    );
    const answer = await Promise.race([this.ended.then(() => true), late]);
    timer.abort();
    return answer;
  }

  /** False: the machine is gone. */
  async #command(command: unknown): Promise<boolean> {
    try {
      const socket = await this.#connection();
      socket.write(`${JSON.stringify(command)}\n`);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Writes the instance config until the guest has taken it. The file with it is kept till then, so that a later
   * process of ours does it again if this one dies.
   */
  async #deliver(): Promise<void> {
    try {
      const config = await readFile(this.folder.config, 'utf8');
      if (!hasConfig(await this.events())) {
        const socket = await this.#connection();
        // The empty line ends what a dead predecessor may have left half-written.
        if (!socket.write(`\n${config}\n`)) await Promise.race([once(socket, 'drain'), this.ended]);
        await this.#untilTaken();
      }
      // Forgotten is not taken: who comes after us will need it.
      if (this.#detach.signal.aborted) return;
      await rm(this.folder.config, { force: true });
    } catch (err) {
      // No file: it was delivered before. Else the machine is gone or going, and its exit says so.
      if (!hasCode(err, 'ENOENT') && !this.#detach.signal.aborted) this.log.debug({ err }, 'qemu.config-not-delivered');
    }
  }

  async #untilTaken(): Promise<void> {
    const changes = new Changes(this.folder.vm);
    const over = new AbortController();
    const finish = (): void => {
      over.abort();
      changes.wake();
    };
    void this.ended.then(finish, finish);
    try {
      while (!over.signal.aborted && !hasConfig(await this.events())) await changes.next(5_000);
    } finally {
      changes.close();
    }
  }

  /** QEMU serves one client of this port at a time, and forgets unread bytes when it leaves: so it is held. */
  #connection(): Promise<Socket> {
    this.#config ??= this.#connect().catch((err: unknown) => {
      this.#config = undefined;
      throw err;
    });
    return this.#config;
  }

  async #connect(): Promise<Socket> {
    for (;;) {
      try {
        const socket = await connectUnix(this.folder.vm, FILES.config, this.#detach.signal);
        socket.on('error', () => socket.destroy());
        socket.once('close', () => (this.#config = undefined));
        return socket;
      } catch (err) {
        if (!(await isAlive(this.record.qemu))) throw err;
        await this.clock.sleep(20, this.#detach.signal);
      }
    }
  }
}

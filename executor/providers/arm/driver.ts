import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../core/clock.js';
import { toUnikError, UnikError } from '../../../core/errors.js';
import type { Log } from '../../../core/log.js';
import { poll } from '../../../core/retry.js';
import { Turns } from '../../../core/turns.js';
import type { MachineHandle, Owner } from '../../model.js';
import { sayToGuest } from '../../remote/door.js';
import type { Driver, MachineOrder, Ref, RemoteMachine } from '../../remote/driver.js';
import type { Probe } from '../provider.js';
import { BootServer } from './boot-server.js';
import { chooseBoard } from './choose.js';
import { Claims, type Claim } from './claims.js';
import type { ArmConfig, Board } from './config.js';
import { Consoles } from './consoles.js';
import type { BoardEvent } from './dnsmasq-words.js';
import { powerOf, type Power } from './power.js';
import { probeBoards } from './probe.js';
import { filesToBoot, filesToIdle } from './served-files.js';
import { Watches } from './watches.js';

export interface ArmDriverOptions {
  config: ArmConfig;
  home: string;
  clock: Clock;
  log: Log;
}

const SAY_MS = 2_000;
const LOOK_MS = 250;

/**
 * Boards that fetch kernel and root over the network. The inventory is the operator's; who has a board, and what it is
 * to boot, lies in our folder and is served to it by dnsmasq. A board runs one machine. It has ended when it asks for an
 * address again (it restarted), when its power is off, or when its door has been silent for long.
 */
export class ArmDriver implements Driver {
  readonly name = 'arm';
  readonly configFrom = 'initrd';
  readonly firmware = 'network';
  readonly arch = 'aarch64';
  readonly serial = { kind: 'after', read: (ref: Ref, bytes: number) => this.#serial(ref, bytes) } as const;
  readonly #claims: Claims;
  readonly #server: BootServer;
  readonly #consoles: Consoles;
  readonly #powers: ReadonlyMap<string, Power>;
  readonly #watches: Watches;
  /** Boards are chosen one start at a time. */
  readonly #turns = new Turns();

  constructor(private readonly options: ArmDriverOptions) {
    const { config, home, clock, log } = options;
    this.#claims = new Claims(join(home, 'boards'));
    const onEvent = (event: BoardEvent): Promise<void> => this.#note(event);
    this.#server = new BootServer({ config, dir: join(home, 'boot'), clock, log, onEvent });
    this.#consoles = new Consoles(config, (board) => this.#claims.folder(board), log);
    this.#watches = new Watches({ config, clock, log });
    this.#powers = new Map(config.boards.map(({ id, power }) => [id, powerOf(id, power)]));
  }

  probe(signal: AbortSignal): Promise<Probe> {
    const { config } = this.options;
    return probeBoards({ config, claims: this.#claims, power: (board) => this.#power(board) }, signal);
  }

  async create(order: MachineOrder, signal: AbortSignal): Promise<RemoteMachine> {
    const known = await this.#claims.find(order);
    if (known && known.state !== 'ended') {
      const board = this.#board(known.board);
      if (known.state === 'published') await this.#untilLoaded(board, signal);
      return this.#told({ ...known, state: 'loaded' });
    }
    if (known) await this.remove({ ...order, id: known.board });
    await this.#server.ready();
    const board = await this.#claim(order);
    try {
      await this.#claims.saveDoor(board.id, tokenIn(order.config));
      await this.#server.publish(board.mac, await filesToBoot(board, order, this.options.config));
      const power = this.#power(board);
      if (power.canSwitch) {
        // It may be on and doing something else.
        await power.off(signal);
        await power.on(signal);
      }
      await this.#untilLoaded(board, signal);
    } catch (err) {
      if (!signal.aborted) await this.#claims.noteTrouble(board.id, toUnikError(err).message);
      throw err;
    }
    return this.#told({ board: board.id, ...order, state: 'loaded' });
  }

  async find(owner: Owner): Promise<RemoteMachine[]> {
    const mine = (await this.#claims.all()).filter((claim) => claim.owner === owner);
    return Promise.all(mine.map(async (claim) => this.#told(await this.#look(claim))));
  }

  async powerOff(ref: Ref): Promise<void> {
    const claim = await this.#claims.find(ref);
    if (!claim || claim.state === 'ended') return;
    const board = this.#board(claim.board);
    await this.#idle(board);
    await this.#cut(board);
    await this.#end(claim);
  }

  async remove(ref: Ref): Promise<void> {
    const claim = await this.#claims.find(ref);
    if (!claim) return;
    const board = this.#board(claim.board);
    await this.powerOff(ref);
    await this.#idle(board);
    this.#consoles.leave(board);
    await rm(join(this.#claims.folder(board.id), 'console'), { force: true });
    this.#watches.forget(board);
    await this.#claims.release(board.id);
  }

  async resume({ key, owner }: MachineHandle): Promise<void> {
    const claim = await this.#claims.find({ key, owner });
    if (!claim || claim.state === 'ended') return;
    await this.#server.ready();
    await this.#consoles.attend(this.#board(claim.board));
  }

  close(): void {
    this.#server.close();
    this.#consoles.close();
  }

  /** Throws insufficient_machines, insufficient_memory. */
  #claim(order: MachineOrder): Promise<Board> {
    return this.#turns.take(async () => {
      const { boards } = this.options.config;
      const taken = new Set((await this.#claims.all()).map(({ board }) => board));
      const trouble = new Map<string, string>();
      for (const { id } of boards) {
        const reason = await this.#claims.trouble(id);
        if (reason !== undefined) trouble.set(id, reason);
      }
      const root_mb = Math.ceil((await stat(order.boot.root)).size / 2 ** 20);
      const board = chooseBoard({ boards, taken, trouble, need_mb: order.ram_mb + 2 * root_mb });
      const { owner, key } = order;
      this.#watches.forget(board);
      await mkdir(this.#claims.folder(board.id), { recursive: true, mode: 0o700 });
      const console_from = await this.#consoles.rewind(board);
      await this.#claims.save({ board: board.id, owner, key, state: 'published', console_from });
      await this.#consoles.attend(board);
      return board;
    });
  }

  async #idle(board: Board): Promise<void> {
    await this.#server.publish(board.mac, await filesToIdle(board, this.options.config.idle_s));
  }

  async #untilLoaded(board: Board, signal: AbortSignal): Promise<void> {
    const { clock, config } = this.options;
    const loaded = async (): Promise<true | undefined> =>
      (await this.#claims.of(board.id))?.state === 'loaded' ? true : undefined;
    const timeout_ms = config.load_timeout_s * 1000;
    try {
      await poll(loaded, {
        clock,
        signal,
        timeout_ms,
        interval_ms: LOOK_MS,
        what: `board ${board.id} to fetch its kernel`,
      });
    } catch (err) {
      signal.throwIfAborted();
      const how = this.#watches.hasAsked(board) ? 'did not fetch all of its files' : 'asked for nothing';
      throw new UnikError('machine_failed', `board ${board.id} ${how} within ${config.load_timeout_s} s of power on`, {
        cause: err,
      });
    }
  }

  /** What dnsmasq told. */
  async #note(event: BoardEvent): Promise<void> {
    const board = this.options.config.boards.find(({ mac }) => mac === event.mac);
    if (!board) return;
    // It lives: whatever was wrong with it is over, or will show again.
    await this.#claims.noteTrouble(board.id, undefined);
    const claim = await this.#claims.of(board.id);
    if (!claim) return;
    if (event.happened === 'asked') {
      // Whatever ran on it runs no more.
      if (claim.state === 'loaded') await this.#end(claim);
      return;
    }
    const hasAll = this.#watches.fetched(board, event.file);
    if (claim.state !== 'published' || !hasAll) return;
    await this.#idle(board);
    await this.#claims.save({ ...claim, state: 'loaded' });
  }

  /** Is it still there? */
  async #look(claim: Claim): Promise<Claim> {
    if (claim.state !== 'loaded') return claim;
    const board = this.#board(claim.board);
    const loss = await this.#watches.look(board, this.#power(board));
    if (!loss) return claim;
    if (loss.silent_ms !== undefined) {
      this.options.log.warn({ board: board.id, silent_ms: loss.silent_ms }, 'board.lost');
      await this.#cut(board);
    }
    // Another board, where there is one, is the better place for what ran here.
    await this.#claims.noteTrouble(board.id, loss.trouble);
    return this.#end(claim);
  }

  async #end(claim: Claim): Promise<Claim> {
    const ended: Claim = { ...claim, state: 'ended' };
    await this.#claims.save(ended);
    return ended;
  }

  /** Its power, or where nobody can switch that, the application by its own door. */
  async #cut(board: Board): Promise<void> {
    const power = this.#power(board);
    if (power.canSwitch) {
      await power.off();
      return;
    }
    const token = await this.#claims.door(board.id);
    const to = { address: board.address, token, timeout_ms: SAY_MS };
    if (await sayToGuest(to, { stop: { grace_ms: 0 } })) return;
    await this.#claims.noteTrouble(
      board.id,
      'it does not answer and its power cannot be switched: start it again by hand',
    );
  }

  async #serial(ref: Ref, bytes: number): Promise<Buffer | undefined> {
    const claim = await this.#claims.find(ref);
    if (!claim) return undefined;
    return this.#consoles.read(this.#board(claim.board), claim.console_from + bytes);
  }

  #told({ board: id, owner, key, state }: Pick<Claim, 'board' | 'owner' | 'key' | 'state'>): RemoteMachine {
    const { address } = this.#board(id);
    const states = { published: 'pending', loaded: 'running', ended: 'ended' } as const;
    return { key, owner, id, state: states[state], address };
  }

  #board(id: string): Board {
    const board = this.options.config.boards.find((one) => one.id === id);
    if (board) return board;
    throw new UnikError(
      'config_invalid',
      `provider_options.arm.boards: board ${id} has a machine and is not in the inventory`,
    );
  }

  #power(board: Board): Power {
    const power = this.#powers.get(board.id);
    if (power) return power;
    throw new UnikError('internal', `no power of board ${board.id}`);
  }
}

/** Of the door that the guest opens. */
function tokenIn(config: string): string {
  return (JSON.parse(config) as { door: { token: string } }).door.token;
}

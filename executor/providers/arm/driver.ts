import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../core/clock.js';
import { toUnikError, UnikError } from '../../../core/errors.js';
import type { Log } from '../../../core/log.js';
import { poll } from '../../../core/retry.js';
import { Turns } from '../../../core/turns.js';
import type { InstanceNet, MachineHandle, Owner } from '../../model.js';
import { initramfsWith } from '../../disks/segments.js';
import { DOOR_PORT, sayToGuest } from '../../remote/door.js';
import type { Driver, MachineOrder, Ref, RemoteMachine } from '../../remote/driver.js';
import { takesConnection } from '../../remote/forward.js';
import type { Probe } from '../provider.js';
import { boardWords, bootFiles, idleFiles, INITRD, KERNEL, neededFiles, PI_KERNEL } from './boot-files.js';
import { BootServer } from './boot-server.js';
import { chooseBoard } from './choose.js';
import { Claims, type Claim } from './claims.js';
import type { ArmConfig, Board } from './config.js';
import { Consoles } from './consoles.js';
import type { BoardEvent } from './dnsmasq-words.js';
import { powerOf, type Power } from './power.js';
import { probeBoards } from './probe.js';

export interface ArmDriverOptions {
  config: ArmConfig;
  home: string;
  clock: Clock;
  log: Log;
}

const SAY_MS = 2_000;
const LOOK_MS = 250;
const DOOR_MS = 1_500;
/** A board that was seen off is seen off twice, so that a hook's slip ends nothing. */
const TIMES_OFF = 2;

/** What is known of a running board and kept nowhere: what it has fetched, and when its door was last seen. */
interface Watch {
  fetched: Set<string>;
  /** When it was first looked at. */
  since?: number;
  door_at?: number;
  times_off: number;
}

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
  readonly #watches = new Map<string, Watch>();
  /** Boards are chosen one start at a time. */
  readonly #turns = new Turns();

  constructor(private readonly options: ArmDriverOptions) {
    const { config, home, clock, log } = options;
    this.#claims = new Claims(join(home, 'boards'));
    const onEvent = (event: BoardEvent): Promise<void> => this.#note(event);
    this.#server = new BootServer({ config, dir: join(home, 'boot'), clock, log, onEvent });
    this.#consoles = new Consoles(config, (board) => this.#claims.folder(board), log);
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
      await this.#publish(board, order);
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
    for (const name of ['console', 'door']) await rm(join(this.#claims.folder(board.id), name), { force: true });
    this.#watches.delete(board.id);
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
      const root_mb = Math.ceil((await readFile(order.boot.root)).length / 2 ** 20);
      const board = chooseBoard({ boards, taken, trouble, need_mb: order.ram_mb + 2 * root_mb });
      const { owner, key } = order;
      this.#watches.set(board.id, { fetched: new Set(), times_off: 0 });
      await mkdir(this.#claims.folder(board.id), { recursive: true, mode: 0o700 });
      const console_from = await this.#consoles.rewind(board);
      await this.#claims.save({ board: board.id, owner, key, state: 'published', console_from });
      await this.#consoles.attend(board);
      return board;
    });
  }

  /** Kernel, initramfs with root and instance config, and what the board's loader wants to read about them. */
  async #publish(board: Board, { boot, config }: MachineOrder): Promise<void> {
    const [kernel, initrd, root] = await Promise.all(
      [boot.kernel, boot.initrd, boot.root].map((path) => readFile(path)),
    );
    if (!kernel || !initrd || !root) throw new UnikError('internal', 'a boot of less than three parts');
    const told = JSON.parse(config) as { door: { token: string }; net: InstanceNet };
    await writeFile(join(this.#claims.folder(board.id), 'door'), told.door.token, { mode: 0o600 });
    const document = { ...told, devices: board.devices, net: this.#netOf(board, told.net.dns) };
    const cmdline = [boot.cmdline, ...boardWords(board, this.options.config)].join(' ');
    const files = new Map<string, string | Uint8Array>(bootFiles(board, cmdline));
    if (board.firmware !== undefined) {
      for (const [name, content] of await firmwareFiles(board.firmware)) files.set(name, content);
    }
    files.set(board.loader === 'raspberry-pi' ? PI_KERNEL : KERNEL, kernel);
    files.set(INITRD, initramfsWith(initrd, root, JSON.stringify(document)));
    await this.#server.publish(board.mac, files);
  }

  #netOf({ address }: Board, dns: readonly string[]): InstanceNet {
    const { subnet, gateway, dns: own } = this.options.config;
    const [, bits = ''] = subnet.split('/');
    const route = gateway === undefined ? {} : { gateway };
    return { mode: 'static', address: `${address}/${bits}`, ...route, dns: [...(dns.length > 0 ? dns : own)] };
  }

  /** A board that finds nothing to boot waits: one that restarts must not run an application a second time. */
  async #idle(board: Board): Promise<void> {
    const files = new Map<string, string | Uint8Array>(idleFiles(board, this.options.config.idle_s));
    if (board.firmware !== undefined) {
      for (const [name, content] of await firmwareFiles(board.firmware)) files.set(name, content);
    }
    await this.#server.publish(board.mac, files);
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
      const asked = this.#watches.get(board.id)?.fetched.size ?? 0;
      const how = asked === 0 ? 'asked for nothing' : 'did not fetch all of its files';
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
    const watch = this.#watch(board);
    watch.fetched.add(event.file);
    if (claim.state !== 'published' || !neededFiles(board).every((name) => watch.fetched.has(name))) return;
    await this.#idle(board);
    await this.#claims.save({ ...claim, state: 'loaded' });
  }

  /** Is it still there? */
  async #look(claim: Claim): Promise<Claim> {
    if (claim.state !== 'loaded') return claim;
    const { log, config, clock } = this.options;
    const board = this.#board(claim.board);
    const watch = this.#watch(board);
    try {
      watch.times_off = (await this.#power(board).isOn()) === false ? watch.times_off + 1 : 0;
    } catch (err) {
      log.warn({ err, board: board.id }, 'board.power-unknown');
    }
    if (watch.times_off >= TIMES_OFF) {
      // Another board, where there is one, is the better place for what ran here.
      await this.#claims.noteTrouble(board.id, 'its power went off while it ran');
      return this.#end(claim);
    }
    const there = { host: board.address, port: DOOR_PORT, timeout_ms: DOOR_MS };
    if (await takesConnection(there, new AbortController().signal)) watch.door_at = clock.now();
    watch.since ??= clock.now();
    // One that has not opened its door yet boots, which takes about as long as its loading may.
    const patience_s = watch.door_at === undefined ? config.load_timeout_s : config.lost_after_s;
    const silent_ms = clock.now() - (watch.door_at ?? watch.since);
    if (silent_ms < patience_s * 1000) return claim;
    log.warn({ board: board.id, silent_ms }, 'board.lost');
    await this.#cut(board);
    await this.#claims.noteTrouble(board.id, `it was silent for ${Math.round(silent_ms / 1000)} s while it ran`);
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
    const token = await readFile(join(this.#claims.folder(board.id), 'door'), 'utf8').catch(() => '');
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

  #watch(board: Board): Watch {
    const known = this.#watches.get(board.id);
    if (known) return known;
    const made: Watch = { fetched: new Set(), times_off: 0 };
    this.#watches.set(board.id, made);
    return made;
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

/** As they are, below the board's own folder. */
async function firmwareFiles(folder: string): Promise<[string, Uint8Array][]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(
    files.map(async (path): Promise<[string, Uint8Array]> => [path.slice(folder.length + 1), await readFile(path)]),
  );
}

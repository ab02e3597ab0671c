import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { connect, createServer as createLineServer, type AddressInfo, type Server as LineServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { armConfigSchema, type ArmConfig } from '../../executor/providers/arm/config.js';
import { BridgedNet } from './bridged-net.js';

const U_BOOT = '/usr/lib/u-boot/qemu_arm64/u-boot.bin';

/** PL061 of `-M virt`: all eight lines at once. */
const GPIO_DATA = 0x0903_0000 + (0xff << 2);

/** Why no boards can be emulated here. */
export function whyNoBoards(): string | undefined {
  if (process.getuid?.() !== 0) return 'boards need a network of their own, which needs root';
  const folders = (process.env['PATH'] ?? '').split(':');
  for (const program of ['qemu-system-aarch64', 'aarch64-linux-gnu-gcc', 'dnsmasq']) {
    if (!folders.some((folder) => existsSync(join(folder, program)))) return `${program} is not installed`;
  }
  return existsSync(U_BOOT) ? undefined : 'u-boot-qemu is not installed';
}

export type ConsoleKind = 'file' | 'tcp' | 'udp';

interface EmulatedBoard {
  id: string;
  mac: string;
  address: string;
  tap: string;
  machine?: ChildProcess | undefined;
}

/**
 * Emulated boards on a network in a namespace: QEMU's arm64 machine with Debian's u-boot, which boots from the network
 * as it would on a desk. Their power is switched by HTTP (`POST /on/ID`, `/off/ID`, `GET /status/ID`), as a smart plug's.
 * Each writes its serial line to a file, as a console server does.
 */
export class Boards {
  readonly #boards: EmulatedBoard[];
  #hook: Server | undefined;
  /** A console server: a port for each board's line. */
  readonly #lines: LineServer[] = [];
  /** What was asked of the power hook. */
  readonly calls: string[] = [];
  /** The hook answers 500. */
  broken = false;

  private constructor(
    readonly dir: string,
    private readonly net: BridgedNet,
    count: number,
  ) {
    this.#boards = Array.from({ length: count }, (_, n) => ({
      ...{ id: `board-${String(n + 1)}`, mac: `52:54:00:a7:00:${(16 + n).toString(16)}` },
      ...{ address: `${net.subnet}.${String(11 + n)}`, tap: `tap${String(n)}` },
    }));
  }

  static async open(count: number): Promise<Boards> {
    const net = await BridgedNet.open({ name: 'bd', network: '10.98' });
    const boards = new Boards(await mkdtemp(join(tmpdir(), 'unik-boards-')), net, count);
    try {
      await boards.#begin();
      return boards;
    } catch (err) {
      await boards.close();
      throw err;
    }
  }

  /** What an operator would write of them. */
  config(more: Record<string, unknown> = {}, kind: ConsoleKind = 'file', power = true): ArmConfig {
    return armConfigSchema.parse(this.settings(more, kind, power));
  }

  settings(more: Record<string, unknown> = {}, kind: ConsoleKind = 'file', power = true): Record<string, unknown> {
    return {
      ...{
        interface: this.net.link,
        server: `${this.net.subnet}.1`,
        subnet: `${this.net.subnet}.0/24`,
        lost_after_s: 10,
        idle_s: 2,
      },
      boards: this.#boards.map(({ id, mac, address }, n) => ({
        ...{ id, mac, address, memory_mb: 512 },
        ...(power
          ? {
              power: {
                kind: 'http',
                on: { url: `${this.#url}/on/${id}` },
                off: { url: `${this.#url}/off/${id}` },
                status: { url: `${this.#url}/status/${id}`, on_when: '"on":true' },
              },
            }
          : {}),
        console:
          kind === 'file'
            ? { kind, path: this.serial(id) }
            : kind === 'tcp'
              ? { kind, host: '127.0.0.1', port: (this.#lines[n]?.address() as AddressInfo).port }
              : { kind },
      })),
      ...more,
    };
  }

  serial(id: string): string {
    return join(this.dir, `${id}.serial`);
  }

  /** QMP's socket of a board. */
  monitor(id: string): string {
    return join(this.dir, `${id}.qmp`);
  }

  /** The number of living boards, and the power of one. */
  get on(): string[] {
    return this.#boards.filter(({ machine }) => machine).map(({ id }) => id);
  }

  async powerOn(id: string): Promise<void> {
    const board = this.#named(id);
    if (board.machine) return;
    const err = openSync(join(this.dir, `${id}.err`), 'a');
    const args = [
      ...[...this.net.enter, 'qemu-system-aarch64', '-M', 'virt,acpi=off', '-cpu', 'cortex-a72'],
      ...['-accel', 'tcg,tb-size=64', '-m', '512', '-display', 'none', '-nodefaults', '-no-user-config'],
      ...['-bios', U_BOOT, '-monitor', 'none', '-qmp', `unix:${this.monitor(id)},server=on,wait=off`],
      // The line is heard in the namespace by a file; a console server's port is led in by the file's name.
      ...[
        '-chardev',
        `socket,id=line,path=${join(this.dir, `${id}.line`)},server=on,wait=off,logfile=${this.serial(id)},logappend=on`,
      ],
      ...['-serial', 'chardev:line'],
      ...['-netdev', `tap,id=n0,ifname=${board.tap},script=no,downscript=no`],
      // The default form makes this u-boot read its address wrongly.
      ...['-device', `virtio-net-device,netdev=n0,mac=${board.mac}`],
    ];
    const child = spawn('nsenter', args, { stdio: ['ignore', 'ignore', err] });
    closeSync(err);
    board.machine = child;
    child.once('exit', () => {
      if (board.machine === child) board.machine = undefined;
    });
  }

  /** It hangs: nothing of it answers any more, and its power stays on. */
  hang(id: string): void {
    this.#named(id).machine?.kill('SIGSTOP');
  }

  /** As if its plug was pulled. */
  async powerOff(id: string): Promise<void> {
    const board = this.#named(id);
    const { machine } = board;
    if (!machine) return;
    const gone = new Promise((resolve) => machine.once('exit', resolve));
    machine.kill('SIGKILL');
    await gone;
  }

  /** The output pins of the board's GPIO controller, a bit each, as QEMU has them: read by its monitor, not by the guest. */
  async pins(id: string): Promise<number> {
    const said = await monitorCommand(this.monitor(id), `xp /1wx 0x${GPIO_DATA.toString(16)}`);
    const value = /: 0x([0-9a-f]{8})/.exec(said)?.[1];
    if (value === undefined) throw new Error(`the monitor of ${id} said: ${said}`);
    return parseInt(value, 16);
  }

  async close(): Promise<void> {
    for (const { id } of this.#boards) await this.powerOff(id);
    for (const line of this.#lines) line.close();
    this.#hook?.closeAllConnections();
    this.#hook?.close();
    await this.net.close();
    await rm(this.dir, { recursive: true, force: true });
  }

  get #url(): string {
    return `http://127.0.0.1:${String((this.#hook?.address() as AddressInfo).port)}`;
  }

  #named(id: string): EmulatedBoard {
    const board = this.#boards.find((one) => one.id === id);
    if (!board) throw new Error(`no board ${id}`);
    return board;
  }

  async #begin(): Promise<void> {
    await this.net.ip(
      this.#boards.flatMap(({ tap }) => [`tuntap add ${tap} mode tap`, `link set ${tap} master br0 up`]),
    );
    for (const { id } of this.#boards) {
      await writeFile(this.serial(id), '');
      const line = createLineServer((caller) => {
        const wire = connect(join(this.dir, `${id}.line`));
        for (const one of [caller, wire])
          one.on('error', () => undefined).on('close', () => (one === wire ? caller : wire).destroy());
        wire.pipe(caller);
      });
      await new Promise<void>((resolve) => line.listen(0, '127.0.0.1', resolve));
      this.#lines.push(line);
    }
    this.#hook = createServer((request, response) => {
      const [, what = '', id = ''] = (request.url ?? '').split('/');
      if (what !== 'status') this.calls.push(`${what} ${id}`);
      void this.#switch(what, id).then(
        (body) => response.writeHead(this.broken ? 500 : 200).end(JSON.stringify(body)),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve) => this.#hook?.listen(0, '127.0.0.1', resolve));
  }

  async #switch(what: string, id: string): Promise<{ on: boolean }> {
    if (!this.broken && what === 'on') await this.powerOn(id);
    if (!this.broken && what === 'off') await this.powerOff(id);
    return { on: this.#named(id).machine !== undefined };
  }
}

/** One command of the monitor for people, by QMP. */
function monitorCommand(path: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const say = (execute: string, rest: object = {}): void =>
      void socket.write(`${JSON.stringify({ execute, ...rest })}\n`);
    let text = '';
    socket.once('error', reject);
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString();
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const answer of lines.map((one) => JSON.parse(one) as { QMP?: object; return?: unknown })) {
        if (answer.QMP) say('qmp_capabilities');
        else if (typeof answer.return === 'string') {
          socket.end();
          resolve(answer.return);
        } else if (answer.return) say('human-monitor-command', { arguments: { 'command-line': line } });
      }
    });
  });
}

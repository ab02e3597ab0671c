import { spawn, type ChildProcess } from 'node:child_process';
import { execa } from 'execa';
import { createConnection, type Socket } from 'node:net';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** QEMU by hand: the guest's tests stand on no provider. */
export interface RawMachine {
  /** Connects to the config port if need be and writes one line. */
  send(document: unknown): Promise<void>;
  /** Writes bytes as they are, and hangs up. */
  sendAndHangUp(text: string): Promise<void>;
  /** Resolves with the first control event of this name. Fails when the machine ends without it. */
  event(name: string): Promise<ControlEvent>;
  events(): Promise<ControlEvent[]>;
  /** What has come so far on a stream. */
  read(stream: 'out' | 'err' | 'serial'): Promise<string>;
  /** Resolves when QEMU has ended. */
  exited: Promise<void>;
  pid: number;
  started_at: number;
  destroy(): Promise<void>;
}

export interface ControlEvent {
  event: string;
  code?: number;
  signal?: number;
  message?: string;
  pid?: number;
}

export interface RawOptions {
  kernel: string;
  initrd?: string;
  cmdline: string;
  /** erofs file. */
  root: string;
  ram_mb: number;
  scratch_mb?: number;
  machine?: string;
  /** More QEMU arguments. */
  more?: string[];
  /** Seconds after which QEMU is killed. */
  limit_s?: number;
}

export const PORTS = ['unik.config', 'unik.control', 'unik.out', 'unik.err'] as const;

/** The files QEMU writes the ports and the serial console to. */
const FILES = { control: 'control.log', out: 'out.log', err: 'err.log', serial: 'serial.log' } as const;

export async function startRaw(options: RawOptions): Promise<RawMachine> {
  const dir = await mkdtemp(join(tmpdir(), 'unik-raw-'));
  const scratch = join(dir, 'scratch.img');
  await makeScratch(scratch, options.scratch_mb ?? 16);
  const started_at = performance.now();
  const child = spawn('qemu-system-x86_64', qemuArgs(options, dir, scratch), {
    cwd: dir,
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: (options.limit_s ?? 60) * 1000,
    killSignal: 'SIGKILL',
  });
  return machine(child, dir, started_at);
}

function qemuArgs(options: RawOptions, dir: string, scratch: string): string[] {
  const file = (id: string, path: string): string[] => ['-chardev', `file,id=${id},path=${join(dir, path)}`];
  const port = (id: string, name: string): string[] => ['-device', `virtserialport,chardev=${id},name=${name}`];
  return [
    ...['-accel', 'tcg', '-M', options.machine ?? 'pc', '-m', String(options.ram_mb), '-display', 'none'],
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-rtc', 'base=utc'],
    ...['-kernel', options.kernel, '-append', options.cmdline],
    ...(options.initrd === undefined ? [] : ['-initrd', options.initrd]),
    ...file('serial', FILES.serial),
    ...['-serial', 'chardev:serial', '-device', 'virtio-serial-pci'],
    ...['-chardev', `socket,id=config,path=${join(dir, 'c')},server=on,wait=off`],
    ...port('config', PORTS[0]),
    ...file('control', FILES.control),
    ...port('control', PORTS[1]),
    ...file('out', FILES.out),
    ...port('out', PORTS[2]),
    ...file('err', FILES.err),
    ...port('err', PORTS[3]),
    ...['-drive', `file=${options.root},if=none,id=root,format=raw,readonly=on,file.locking=off`],
    ...['-device', 'virtio-blk-pci,drive=root'],
    ...['-drive', `file=${scratch},if=none,id=scratch,format=raw,cache=unsafe`],
    ...['-device', 'virtio-blk-pci,drive=scratch'],
    ...(options.more ?? []),
  ];
}

/** Sparse, ext4 without a journal. */
async function makeScratch(path: string, megabytes: number): Promise<void> {
  const file = await open(path, 'wx');
  await file.truncate(megabytes * 1024 * 1024);
  await file.close();
  await execa('mke2fs', ['-q', '-F', '-t', 'ext4', '-O', '^has_journal', '-m', '0', path]);
}

function machine(child: ChildProcess, dir: string, started_at: number): RawMachine {
  let over = false;
  let socket: Socket | undefined;
  let complaint = '';
  child.stderr?.on('data', (bytes: Buffer) => (complaint += bytes.toString()));
  const exited = new Promise<void>((resolve, reject) => {
    child.once('close', () => {
      over = true;
      if (complaint) reject(new Error(`qemu: ${complaint}`));
      else resolve();
    });
  });
  exited.catch(() => undefined); // whoever awaits it sees it
  const text = async (name: string): Promise<string> => {
    const path = join(dir, name);
    return existsSync(path) ? readFile(path, 'utf8') : '';
  };
  const events = async (): Promise<ControlEvent[]> => {
    const whole = (await text(FILES.control)).split('\n').slice(0, -1);
    return whole.map((line) => JSON.parse(line) as ControlEvent);
  };
  return {
    pid: child.pid ?? 0,
    started_at,
    exited,
    events,
    read: (stream) => text(FILES[stream]),
    async send(document) {
      socket ??= await connected(join(dir, 'c'));
      socket.write(`${typeof document === 'string' ? document : JSON.stringify(document)}\n`);
    },
    async sendAndHangUp(text) {
      socket ??= await connected(join(dir, 'c'));
      const leaving = socket;
      socket = undefined;
      await new Promise<void>((resolve) => leaving.end(text, resolve));
    },
    async event(name) {
      for (;;) {
        const last = over;
        const found = (await events()).find(({ event }) => event === name);
        if (found) return found;
        if (last) throw new Error(`the machine ended without ${name}:\n${(await text(FILES.serial)).slice(-2000)}`);
        await pause(10);
      }
    },
    async destroy() {
      socket?.destroy();
      child.kill('SIGKILL');
      await exited.catch(() => undefined);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** QEMU makes the socket a moment before it listens: refused means too early. */
async function connected(path: string): Promise<Socket> {
  for (;;) {
    const socket = createConnection(path);
    const opened = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.on('error', () => resolve(false)); // later: the machine ended, and its files tell the rest
    });
    if (opened) return socket;
    await pause(5);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

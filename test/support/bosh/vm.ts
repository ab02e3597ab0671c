/**
 * A VM as BOSH makes one, but for the machine: a mount namespace in which /var/vcap is a folder of its own, packages
 * made by their packaging scripts, jobs rendered, with the owners and modes that the agent gives them.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { readlinkSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { bpmFor } from './bpm.js';
import { jobSpec, release, render, type Instance } from './templates.js';

const VCAP = '/var/vcap';
/** Of the group `vcap`, which jobs belong to; nobody here has it. */
const VCAP_GID = 61_000;

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export class Vm {
  /** Taken away with the last VM: a folder that is removed takes the mounts upon it along, in every namespace. */
  static #made = false;
  static #living = 0;
  readonly #holder: ChildProcess;

  /** `dir`: what /var/vcap is in here. */
  private constructor(
    readonly dir: string,
    holder: ChildProcess,
  ) {
    this.#holder = holder;
  }

  static async start(): Promise<Vm> {
    const dir = mkdtempSync(join(tmpdir(), 'vm-'));
    for (const name of ['packages', 'jobs', 'monit', 'data/packages', 'data/jobs', 'sys/log', 'sys/run'])
      mkdirSync(join(dir, name), { recursive: true });
    chmodSync(dir, 0o755);
    if (!existsSync(VCAP)) Vm.#made = true;
    mkdirSync(VCAP, { recursive: true });
    const script = `mount --bind "$0" ${VCAP} && echo ready && exec sleep infinity`;
    const args = ['--mount', '--propagation', 'private', 'sh', '-c', script, dir];
    const holder = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    Vm.#living++;
    return new Vm(dir, holder);
  }

  /** Runs a program as root in it, with nothing of our environment. */
  async run(
    argv: readonly string[],
    options: { timeout_ms?: number; offline?: boolean; cwd?: string } = {},
  ): Promise<Ran> {
    const inside = ['-t', String(this.#holder.pid), '-m', '--', 'env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin'];
    const cwd = options.cwd === undefined ? [] : ['-C', options.cwd];
    const offline = options.offline ? ['unshare', '--net'] : [];
    const done = await execa('nsenter', [...inside, ...cwd, ...offline, ...argv], {
      ...{ reject: false, stdin: 'ignore', timeout: options.timeout_ms ?? 120_000, cleanup: false },
    });
    return { code: done.exitCode ?? -1, stdout: done.stdout, stderr: done.stderr };
  }

  async ok(
    argv: readonly string[],
    options: { timeout_ms?: number; offline?: boolean; cwd?: string } = {},
  ): Promise<string> {
    const done = await this.run(argv, options);
    if (done.code !== 0) throw new Error(`${argv.join(' ')}: exit ${done.code}\n${done.stdout}\n${done.stderr}`);
    return done.stdout;
  }

  /** Compiles the packages, without a network, as a compilation VM does, under a name of the build. */
  async compile(packages: readonly string[], build: string): Promise<void> {
    for (const name of packages) {
      const source = join(this.dir, 'data/compile', name);
      mkdirSync(source, { recursive: true });
      for (const from of ['src', 'blobs'])
        if (existsSync(join(release, from, name)))
          cpSync(join(release, from, name), join(source, name), { recursive: true });
      cpSync(join(release, 'packages', name, 'packaging'), join(source, 'packaging'));
      const target = `${VCAP}/data/packages/${name}/${build}`;
      mkdirSync(join(this.dir, 'data/packages', name, build), { recursive: true });
      // The agent compiles to where the package will be found.
      link(join(this.dir, 'packages', name), target);
      const inside = `${VCAP}/data/compile/${name}`;
      const script = `cd ${inside} && BOSH_COMPILE_TARGET=${inside} BOSH_INSTALL_TARGET=${VCAP}/packages/${name} bash -x packaging`;
      await this.ok(['bash', '-c', script], { offline: true });
      rmSync(source, { recursive: true });
    }
  }

  /** Renders a job into it. Throws what a template says against its properties. */
  install(job: string, properties: object, instance: Partial<Instance>, links = {}): void {
    const result = render(job, properties, instance, links);
    if ('error' in result) throw new Error(result.error);
    const at = join(this.dir, 'data/jobs', job);
    rmSync(at, { recursive: true, force: true });
    mkdirSync(at, { recursive: true });
    for (const [target, text] of Object.entries(result.files)) {
      const file = join(at, target);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
      chmodSync(file, target.startsWith('bin/') ? 0o750 : 0o640);
      chownSync(file, 0, VCAP_GID);
    }
    for (const folder of ['', ...readdirSync(at, { recursive: true, encoding: 'utf8' })])
      if (!Object.hasOwn(result.files, folder)) {
        chmodSync(join(at, folder), 0o750);
        chownSync(join(at, folder), 0, VCAP_GID);
      }
    link(join(this.dir, 'jobs', job), `${VCAP}/data/jobs/${job}`);
  }

  /** Puts a stand-in for bpm beside a job that was installed. */
  installBpm(job: string): void {
    const bin = join(this.dir, 'jobs/bpm/bin');
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, 'bpm'), bpmFor(join(this.dir, 'data/jobs', job), VCAP_GID), { mode: 0o750 });
  }

  /** What monit would call. */
  async monit(job: string, verb: 'start' | 'stop'): Promise<string> {
    const text = readFileSync(join(release, 'jobs', job, 'monit'), 'utf8');
    const program = new RegExp(`${verb} program "([^"]+)"`).exec(text)?.[1] ?? '';
    return await this.ok(program.split(' '));
  }

  /** One of the scripts that the agent runs beside monit. */
  script(job: string, name: string, args: readonly string[] = [], timeout_ms = 180_000): Promise<Ran> {
    return this.run([`${VCAP}/jobs/${job}/bin/${name}`, ...args], { timeout_ms });
  }

  read(path: string): string {
    return readFileSync(join(this.dir, path), 'utf8');
  }

  async close(): Promise<void> {
    const ended = once(this.#holder, 'exit');
    this.#holder.kill('SIGKILL');
    await ended;
    rmSync(this.dir, { recursive: true, force: true });
    if (--Vm.#living === 0 && Vm.#made) rmdirSync(VCAP);
  }
}

/** Process ids of the QEMUs that were started from the package. */
export function qemus(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => exeOf(pid).includes('packages/unik-qemu/'))
    .map(Number);
}

function exeOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return '';
  }
}

function link(path: string, target: string): void {
  rmSync(path, { force: true });
  symlinkSync(target, path);
}

/** Blobs and sources, as an operator makes them. `env`: on top of ours. */
export function fillRelease(env: NodeJS.ProcessEnv = {}): void {
  execFileSync(join(release, 'scripts/add-blobs'), {
    ...{ stdio: ['ignore', 'inherit', 'inherit'], timeout: 600_000, env: { ...process.env, ...env } },
  });
}

export const CELL_PACKAGES = (): string[] => jobSpec('unik-cell').packages;

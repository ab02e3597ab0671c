/** Containers of a test's cell: an app's droplet, run by its start command under bubblewrap, beside the host's network. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { NetInfo, RunOrder } from '../../../backend/cell/model.js';
import type { Sink } from '../../../backend/logs/sink.js';
import { messageOf } from '../../../core/errors.js';
import type { Fetcher } from '../../../stager/actions/fetch.js';
import type { Stager } from '../../../stager/staging/stage.js';
import { FakeContainers } from '../cell/fake-containers.js';
import { freePorts } from '../diego/children.js';

export interface BubbleDeps {
  /** Each container has a folder here while it is there. */
  folder: string;
  fetcher: Fetcher;
  stager: Stager;
  sink: Sink;
}

const CHECK_MS = 100;

export class BubbleContainers extends FakeContainers {
  readonly #ports = new Map<string, number>();
  readonly #children = new Map<string, ChildProcess>();
  readonly #working = new Set<Promise<void>>();
  readonly #ending = new AbortController();

  constructor(private readonly deps: BubbleDeps) {
    super(undefined, Date.now);
    this.obedient = false;
  }

  override run(guid: string, order: RunOrder): void {
    super.run(guid, order);
    const work = (order.staging ? this.#stage(guid, order) : this.#start(guid, order))
      .catch((err: unknown) => this.exit(guid, { failed: true, reason: messageOf(err), retryable: false }))
      .finally(() => this.#working.delete(work));
    this.#working.add(work);
  }

  override stop(guid: string): void {
    super.stop(guid);
    const child = this.#children.get(guid);
    if (child) child.kill('SIGKILL');
    else this.exit(guid, { failed: false, reason: '', retryable: false });
  }

  override netInfo(guid: string): NetInfo | undefined {
    const host_port = this.#ports.get(guid);
    if (host_port === undefined) return undefined;
    return { address: '127.0.0.1', ports: [{ container_port: 8080, host_port }], instance_address: '127.0.0.1' };
  }

  override async close(): Promise<void> {
    this.#ending.abort();
    for (const child of this.#children.values()) child.kill('SIGKILL');
    await Promise.all(this.#working);
  }

  async #stage(guid: string, order: RunOrder): Promise<void> {
    const { staging, downloads, launch, limits, logs, result_file } = order;
    if (!staging) throw new Error('no staging task');
    const { demand } = this.get(guid)?.reservation ?? {};
    const outcome = await this.deps.stager.stage(
      {
        ...{ guid, action: staging.action, downloads, env: launch.env, log_source: logs.source },
        limits: { memory_mb: demand?.memory_mb ?? 512, disk_mb: demand?.disk_mb ?? 512, pids: limits.max_pids ?? 512 },
        ...(result_file === undefined ? {} : { result_file }),
      },
      {
        say: (line) => this.deps.sink.log(logs, { ...line, at: Date.now() }),
        began: () => {
          this.boot(guid);
          this.healthy(guid);
        },
      },
      this.#ending.signal,
    );
    this.exit(guid, outcome);
  }

  async #start(guid: string, order: RunOrder): Promise<void> {
    const home = join(this.deps.folder, guid);
    try {
      await this.#unpack(home, order);
      const [port = 0] = await freePorts(1);
      this.#ports.set(guid, port);
      this.boot(guid);
      const child = this.#spawn(guid, { home, port, order });
      const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? 137)));
      void this.#watch(guid, port);
      const code = await ended;
      const asked = this.get(guid)?.stopped === true;
      this.exit(guid, { failed: !asked, reason: asked ? '' : `Exited with status ${code}`, retryable: false });
    } finally {
      this.#children.delete(guid);
      this.#ports.delete(guid);
      await rm(home, { recursive: true, force: true });
    }
  }

  async #unpack(home: string, { downloads }: RunOrder): Promise<void> {
    await mkdir(join(home, 'app'), { recursive: true });
    const droplet = downloads.find(({ artifact, to }) => artifact === 'droplet' || to.startsWith('/home/vcap'));
    if (!droplet) throw new Error('the order has no droplet');
    const fetched = await this.deps.fetcher.fetch(droplet, this.#ending.signal);
    try {
      await promisify(execFile)('tar', ['-xf', fetched.path, '-C', home, '--no-same-owner']);
    } finally {
      await fetched.release();
    }
  }

  #spawn(guid: string, { home, port, order }: { home: string; port: number; order: RunOrder }): ChildProcess {
    const { launch, logs } = order;
    const command = launch.command.kind === 'start_command' ? ['sh', '-c', launch.command.text] : launch.command.argv;
    const env = {
      PATH: '/usr/bin:/bin',
      HOME: '/home/vcap/app',
      ...Object.fromEntries(launch.env),
      ...{ PORT: String(port), CF_INSTANCE_GUID: guid, CF_INSTANCE_INDEX: String(logs.index) },
    };
    const child = spawn(
      'bwrap',
      [
        ...[
          '--unshare-pid',
          '--unshare-ipc',
          '--die-with-parent',
          '--proc',
          '/proc',
          '--dev',
          '/dev',
          '--tmpfs',
          '/tmp',
        ],
        ...['--ro-bind', '/usr', '/usr', '--symlink', 'usr/bin', '/bin', '--symlink', 'usr/lib', '/lib'],
        ...['--symlink', 'usr/lib64', '/lib64', '--ro-bind', '/etc', '/etc', '--bind', home, '/home/vcap'],
        ...['--chdir', '/home/vcap/app', '--', ...command],
      ],
      { env, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#children.set(guid, child);
    for (const stream of ['out', 'err'] as const) {
      child[stream === 'out' ? 'stdout' : 'stderr'].on('data', (data: Buffer) => {
        for (const text of data.toString().trimEnd().split('\n')) {
          this.deps.sink.log(logs, { source: launch.log_source, stream, text, at: Date.now() });
        }
      });
    }
    return child;
  }

  /** Healthy when something listens, as Diego's port check has it. */
  async #watch(guid: string, port: number): Promise<void> {
    while (this.get(guid)?.state === 'created') {
      if (await listens(port)) this.healthy(guid);
      else await new Promise((resolve) => setTimeout(resolve, CHECK_MS));
    }
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

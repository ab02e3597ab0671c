import { statfs } from 'node:fs/promises';
import { availableParallelism, freemem } from 'node:os';
import type { KernelEntry } from '../executor/kernels/kernel.js';
import type { Finding, Provider } from '../executor/providers/provider.js';
import type { DoctorReport } from './api/schema/system.js';
import { toUnikError } from '../core/errors.js';
import { which } from '../core/which.js';

export interface Examination {
  home: string;
  /** Where programs are found, as PATH says. */
  path: string;
  memory_mb: number;
  providers: Iterable<Provider>;
  kernels: { list(): Promise<KernelEntry[]> };
  /** What is known of the daemon. */
  daemon: Finding;
}

interface Program {
  name: string;
  package: string;
  /** What does not work without it. */
  for: string;
  needed: boolean;
}

/** Programs that machines and builds call, and the Debian package of each. */
const PROGRAMS: readonly Program[] = [
  { name: 'qemu-system-x86_64', package: 'qemu-system-x86', for: 'machines of provider qemu', needed: true },
  { name: 'unshare', package: 'util-linux', for: 'networks and namespaces of machines', needed: true },
  { name: 'setpriv', package: 'util-linux', for: 'unprivileged machines', needed: true },
  { name: 'prlimit', package: 'util-linux', for: 'bounded logs', needed: true },
  { name: 'ip', package: 'iproute2', for: 'networks tap and user', needed: false },
  { name: 'nft', package: 'nftables', for: 'networks tap and user', needed: false },
  { name: 'slirp4netns', package: 'slirp4netns', for: 'network user', needed: false },
  { name: 'mke2fs', package: 'e2fsprogs', for: 'scratch disks of machines', needed: true },
  { name: 'nsenter', package: 'util-linux', for: 'checks on network user', needed: false },
  { name: 'busybox', package: 'busybox-static', for: 'static sites and images with a shell', needed: false },
  { name: 'npm', package: 'npm', for: 'Node.js apps without node_modules', needed: false },
  { name: 'python3', package: 'python3 python3-pip', for: 'Python apps', needed: false },
  { name: 'go', package: 'golang-go', for: 'Go apps', needed: false },
  { name: 'java', package: 'default-jdk-headless', for: 'Java apps', needed: false },
];

/** Everything `unik doctor` tells. Never throws: what cannot be found out is a finding too. */
export async function examine(host: Examination, signal: AbortSignal): Promise<DoctorReport> {
  const accelerators: string[] = [];
  const parts = await Promise.all([
    probes(host.providers, accelerators, signal),
    programs(host.path),
    attempt('kernels', () => kernels(host)),
    attempt('disk', () => disk(host.home)),
  ]);
  return report([...parts.flat(), memory(host.memory_mb), host.daemon], accelerators[0]);
}

export function report(findings: Finding[], accelerator?: string): DoctorReport {
  const ok = findings.every(({ status }) => status !== 'error');
  return { ok, ...(accelerator === undefined ? {} : { accelerator }), findings };
}

async function probes(providers: Iterable<Provider>, accelerators: string[], signal: AbortSignal): Promise<Finding[]> {
  const found = [...providers].map((provider) =>
    attempt(provider.name, async () => {
      const { healthy, summary, findings, accelerator } = await provider.probe(signal);
      if (accelerator !== undefined) accelerators.push(accelerator);
      return [
        { name: `provider ${provider.name}`, status: healthy ? ('ok' as const) : ('error' as const), detail: summary },
        ...findings,
      ];
    }),
  );
  return (await Promise.all(found)).flat();
}

async function programs(path: string): Promise<Finding[]> {
  return Promise.all(
    PROGRAMS.map(async (program): Promise<Finding> => {
      const name = `program ${program.name}`;
      const where = which(program.name, path);
      if (where !== undefined) return { name, status: 'ok', detail: where };
      const detail = `not found; it is for ${program.for}`;
      return {
        name,
        status: program.needed ? 'error' : 'warning',
        detail,
        fix: `sudo apt-get install -y ${program.package}`,
      };
    }),
  );
}

async function kernels(host: Examination): Promise<Finding[]> {
  const all = await host.kernels.list();
  if (all.length > 0) return [{ name: 'kernels', status: 'ok', detail: all.map(({ id }) => id).join(', ') }];
  return [
    {
      name: 'kernels',
      status: 'error',
      detail: 'the catalogue is empty, so no image can boot',
      fix: 'npm start (once), or unik kernel import DIR',
    },
  ];
}

async function disk(home: string): Promise<Finding[]> {
  const { bavail, bsize } = await statfs(home);
  const free = Math.floor((bavail * bsize) / 2 ** 20);
  const detail = `${free} MB free under ${home}`;
  if (free >= 2048) return [{ name: 'disk', status: 'ok', detail }];
  return [
    { name: 'disk', status: free < 256 ? 'error' : 'warning', detail, fix: 'unik rmi, unik gc, or another $UNIK_HOME' },
  ];
}

function memory(allowed: number): Finding {
  const free = Math.floor(freemem() / 2 ** 20);
  const detail = `${allowed} MB for machines, ${free} MB free now, ${availableParallelism()} processors`;
  return { name: 'memory', status: 'ok', detail };
}

async function attempt(name: string, look: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await look();
  } catch (err) {
    const error = toUnikError(err);
    return [{ name, status: 'error', detail: error.message, fix: error.hint }];
  }
}

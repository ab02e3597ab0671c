import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { kill, start } from './child.js';
import { firstAnswer } from './first-answer.js';

const exec = promisify(execFile);

export interface ContainerOrder {
  /** A folder for the bundle and for runc's own state. */
  home: string;
  argv: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  port: number;
}

interface Bundle {
  root: { path: string; readonly: boolean };
  process: { terminal: boolean; args: string[]; env: string[]; cwd: string };
  mounts: { type: string; destination: string; source?: string; options?: string[] }[];
  linux: { namespaces: { type: string; path?: string }[]; resources?: unknown; maskedPaths?: unknown };
}

export async function hasRunc(): Promise<boolean> {
  return exec('runc', ['--version']).then(
    () => process.getuid?.() === 0,
    () => false,
  );
}

/**
 * The program by runc, on this host's files, read only, in a network of its own. Gives milliseconds from runc's start
 * to the first 200 and the memory of its process, MB; `look` sees the container's address while it serves.
 */
export async function runContainer(
  order: ContainerOrder,
  look: (address: string) => Promise<void> = () => Promise.resolve(),
): Promise<{ took: number; memory: number }> {
  const dir = await mkdtemp(join(order.home, 'runc-'));
  const id = `unik-bench-${process.pid}`;
  const state = join(order.home, 'runc-state');
  const address = await makeNetwork(id);
  try {
    await writeBundle(dir, id, order);
    const started = performance.now();
    const child = start(['runc', '--root', state, 'run', '-b', dir, id], dir);
    try {
      const took = await firstAnswer(order.port, started, address);
      const { stdout } = await exec('runc', ['--root', state, 'state', id]);
      const memory = await residentMb((JSON.parse(stdout) as { pid: number }).pid);
      await look(address);
      return { took, memory };
    } finally {
      await exec('runc', ['--root', state, 'delete', '--force', id]).catch(() => undefined);
      await kill(child);
    }
  } finally {
    await exec('ip', ['netns', 'del', id]);
    await rm(dir, { recursive: true, force: true });
  }
}

/** A network namespace with one address, of the range for benchmarks (RFC 2544). */
async function makeNetwork(name: string): Promise<string> {
  const link = `ukb${process.pid}`;
  const network = `198.18.${process.pid % 256}`;
  const ip = (line: string): Promise<unknown> => exec('ip', line.split(' '));
  await ip(`netns add ${name}`);
  await ip(`link add ${link} type veth peer name eth0 netns ${name}`);
  await ip(`addr add ${network}.1/30 dev ${link}`);
  await ip(`link set ${link} up`);
  await ip(`-n ${name} addr add ${network}.2/30 dev eth0`);
  await ip(`-n ${name} link set eth0 up`);
  await ip(`-n ${name} link set lo up`);
  return `${network}.2`;
}

async function writeBundle(dir: string, id: string, { argv, cwd, env }: ContainerOrder): Promise<void> {
  await mkdir(dir, { recursive: true });
  await exec('runc', ['spec'], { cwd: dir });
  const file = join(dir, 'config.json');
  const spec = JSON.parse(await readFile(file, 'utf8')) as Bundle;
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const root = join(dir, 'root');
  await mkdir(root);
  for (const name of ['bin', 'lib', 'lib64']) await symlink(`usr/${name}`, join(root, name));
  spec.root = { path: root, readonly: false };
  spec.process = { ...spec.process, terminal: false, args: [...argv], env: variables, cwd };
  spec.linux.namespaces = [
    ...spec.linux.namespaces.filter(({ type }) => type !== 'network' && type !== 'cgroup'),
    { type: 'network', path: `/run/netns/${id}` },
  ];
  const bound = ['/usr', '/etc', cwd].map((path) => ({
    ...{ type: 'bind', source: path, destination: path, options: ['rbind', 'ro'] },
  }));
  spec.mounts = [...spec.mounts.filter(({ type }) => type === 'proc'), ...bound];
  delete spec.linux.resources;
  await writeFile(file, JSON.stringify(spec));
}

async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

import type { SandboxJob } from './sandbox.js';
import { INSIDE, type ViewEntry } from './view.js';

/** File descriptors that bubblewrap gets. */
export const FD = { status: 3, seccomp: 4, args: 5 } as const;

/**
 * Where the launcher binds the folders of a job, in its own mount namespace, by the order of the list. It hides what is
 * there, so it is a folder that every host has and no program of ours is found in.
 */
export const STAGE = '/sys';

export interface Confinement {
  view: readonly ViewEntry[];
  /** Read-only files, by where they are seen. They come first on the stage. */
  files: readonly string[];
  job: SandboxJob;
  /** Beside those of the job. */
  env: Readonly<Record<string, string>>;
  /** False: it gets one with nothing in it from bubblewrap; true: the launcher made one. */
  network: boolean;
}

/** bubblewrap's arguments but the command, for `--args`: on its command line the environment would be read by all. */
export function bwrapArgs({ view, files, job, env, network }: Confinement): string[] {
  const staged = [
    ...files.map((inside) => ({ inside, writable: false })),
    ...job.mounts.map(({ inside, writable }) => ({ inside, writable })),
  ].map((mount, index) => ({ ...mount, from: `${STAGE}/${index}` }));
  // A folder before what is mounted in it.
  staged.sort((a, b) => a.inside.split('/').length - b.inside.split('/').length);
  return [
    ...['user', 'pid', 'ipc', 'uts', 'cgroup'].map((namespace) => `--unshare-${namespace}`),
    ...(network ? [] : ['--unshare-net']),
    '--disable-userns',
    ...['--uid', String(INSIDE.uid), '--gid', String(INSIDE.gid), '--hostname', INSIDE.hostname],
    ...['--cap-drop', 'ALL', '--new-session', '--die-with-parent'],
    ...['--json-status-fd', String(FD.status), '--seccomp', String(FD.seccomp)],
    '--clearenv',
    ...Object.entries({ ...env, ...job.env }).flatMap(([name, value]) => ['--setenv', name, value]),
    ...['/etc', '/etc/ssl', '/home', '/run', `/home/${INSIDE.user}`].flatMap((at) => ['--perms', '0755', '--dir', at]),
    ...view.flatMap((entry) =>
      'link' in entry ? ['--symlink', entry.link, entry.at] : ['--ro-bind', entry.host, entry.at],
    ),
    ...['--proc', '/proc', '--dev', '/dev'],
    ...foldersInMemory(job).flatMap(tmpfs),
    ...['--remount-ro', '/dev'],
    ...staged.flatMap(({ from, inside, writable }) => [writable ? '--bind' : '--ro-bind', from, inside]),
    ...['--remount-ro', '/', '--chdir', job.cwd],
  ];
}

/** A file system in memory, of which no process's size tells: small, and of a fixed size. */
export interface FolderInMemory {
  at: string;
  bytes: number;
}

export function foldersInMemory({ limits, mounts }: Pick<SandboxJob, 'limits' | 'mounts'>): FolderInMemory[] {
  const { memory_mb, disk_mb } = limits;
  const bytes = (mb: number): number => Math.max(1, Math.floor(mb)) * 1024 * 1024;
  const folders = [
    { at: '/dev/shm', bytes: bytes(Math.min(memory_mb / 8, 64)) },
    { at: '/tmp', bytes: bytes(Math.min(memory_mb / 4, disk_mb)) },
  ];
  return folders.filter(({ at }) => !mounts.some(({ inside }) => inside === at));
}

function tmpfs({ at, bytes }: FolderInMemory): string[] {
  return ['--perms', '1777', '--size', String(bytes), '--tmpfs', at];
}

import { access, constants, mkdir, readFile, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, messageOf, UnikError } from '../../core/errors.js';
import type { SandboxLimits } from './sandbox.js';

export type Controller = 'memory' | 'pids';

/** A folder of control groups in which we may make our own. */
export interface GroupParent {
  folder: string;
  version: 1 | 2;
}

/** What the kernel limits here; a controller that is missing is left to the watcher, for the reason in `why`. */
export interface GroupPlan {
  memory?: GroupParent;
  pids?: GroupParent;
  why: Partial<Record<Controller, string>>;
}

/** A mounted hierarchy and our own place in it. */
export interface Hierarchy {
  version: 1 | 2;
  /** Of version 1. */
  controllers: readonly string[];
  mount: string;
  /** As seen from the mount, such as `/` or `/system.slice/unik.service`. */
  own: string;
}

/** `mountinfo` and `cgroup` as in /proc/self. */
export function hierarchies(mountinfo: string, cgroup: string): Hierarchy[] {
  const own = new Map(
    cgroup
      .trim()
      .split('\n')
      .map((line) => /^(\d+):([^:]*):(.*)$/.exec(line))
      .filter((match) => match !== null)
      .map(([, id = '', controllers = '', path = '']) => [id === '0' ? '' : controllers, path]),
  );
  return mountinfo
    .trim()
    .split('\n')
    .flatMap((line): Hierarchy[] => {
      const [left = '', right = ''] = line.split(' - ');
      const [, , , root = '', mount = ''] = left.split(' ');
      const [kind, , options = ''] = right.split(' ');
      if (kind !== 'cgroup' && kind !== 'cgroup2') return [];
      const names = kind === 'cgroup2' ? [''] : [...own.keys()].filter((key) => isMountOf(options, key));
      return names.map((name) => ({
        version: kind === 'cgroup2' ? 2 : 1,
        controllers: name.split(','),
        mount,
        own: below(root, own.get(name) ?? '/'),
      }));
    });
}

function isMountOf(options: string, controllers: string): boolean {
  const given = options.split(',');
  return controllers !== '' && controllers.split(',').every((name) => given.includes(name));
}

function below(root: string, path: string): string {
  return root !== '/' && path.startsWith(root) ? path.slice(root.length) || '/' : path;
}

/**
 * Where we may divide what is ours: at the top of what we see, in a group that belongs to our (ordinary) account, or
 * in the one the operator names with `given`, a path below every hierarchy. A group that another program made and did
 * not hand over stays as it is.
 */
export async function planGroups(given: string | undefined, uid: number): Promise<GroupPlan> {
  const [mountinfo, cgroup] = await Promise.all(
    ['mountinfo', 'cgroup'].map((name) => readFile(`/proc/self/${name}`, 'utf8')),
  );
  const all = hierarchies(mountinfo ?? '', cgroup ?? '');
  const plan: GroupPlan = { why: {} };
  for (const controller of ['memory', 'pids'] as const) {
    try {
      plan[controller] = await parentFor(controller, all, given, uid);
    } catch (err) {
      plan.why[controller] = messageOf(err);
    }
  }
  return plan;
}

async function parentFor(
  controller: Controller,
  all: readonly Hierarchy[],
  given: string | undefined,
  uid: number,
): Promise<GroupParent> {
  const one = all.find(({ version, controllers }) => version === 1 && controllers.includes(controller));
  const found = one ?? all.find(({ version }) => version === 2);
  if (!found) throw new Error('no control groups are mounted');
  const folder = join(found.mount, given ?? found.own);
  if (given === undefined && found.own !== '/') {
    const owner = (await stat(folder)).uid;
    if (uid === 0 || owner !== uid) throw new Error(`the control group ${folder} was not handed over to us`);
  }
  await access(folder, constants.W_OK);
  if (found.version === 2) await enable(controller, folder);
  return { folder, version: found.version };
}

/** Only a group without processes of its own (or the very first) hands controllers down. */
async function enable(controller: Controller, folder: string): Promise<void> {
  const has = async (file: string): Promise<boolean> =>
    (await readFile(join(folder, file), 'utf8')).trim().split(' ').includes(controller);
  if (await has('cgroup.subtree_control')) return;
  if (!(await has('cgroup.controllers')))
    throw new Error(`the control group ${folder} has no controller ${controller}`);
  await writeFile(join(folder, 'cgroup.subtree_control'), `+${controller}`);
}

/** What a group is made with: file, value, and whether an older kernel may lack it. */
type Setting = [file: string, value: string, optional?: 'optional'];

/** `spare`: bubblewrap's own two processes are in the group as well. */
export function settings(controller: Controller, version: 1 | 2, limits: SandboxLimits, spare: number): Setting[] {
  const bytes = String(limits.memory_mb * 1024 * 1024);
  if (controller === 'pids') return [['pids.max', String(limits.pids + spare)]];
  if (version === 1) {
    return [
      ['memory.limit_in_bytes', bytes],
      ['memory.memsw.limit_in_bytes', bytes, 'optional'],
    ];
  }
  return [
    ['memory.max', bytes],
    ['memory.swap.max', '0', 'optional'],
    ['memory.oom.group', '1', 'optional'],
  ];
}

/** Groups of one job. */
export interface Groups {
  /** To be noted before `make`, removed by `removeGroups`. */
  folders: string[];
  make(): Promise<void>;
  admit(pid: number): Promise<void>;
  /** A limit that the kernel has enforced; undefined: none. */
  struck(): Promise<Controller | undefined>;
}

export function groupsOf(name: string, plan: GroupPlan, limits: SandboxLimits, spare: number): Groups {
  const kinds = (['memory', 'pids'] as const).flatMap((controller) => {
    const parent = plan[controller];
    return parent ? [{ controller, version: parent.version, folder: join(parent.folder, name) }] : [];
  });
  const folders = [...new Set(kinds.map(({ folder }) => folder))];
  return {
    folders,
    async make() {
      try {
        for (const folder of folders) await mkdir(folder);
        for (const { controller, version, folder } of kinds) {
          for (const setting of settings(controller, version, limits, spare)) await write(folder, setting);
        }
      } catch (err) {
        throw new UnikError('sandbox_unavailable', `the limits of the sandbox could not be set: ${messageOf(err)}`);
      }
    },
    async admit(pid) {
      for (const folder of folders) await writeFile(join(folder, 'cgroup.procs'), String(pid));
    },
    async struck() {
      for (const { controller, version, folder } of kinds) {
        const [file, key] =
          controller === 'pids'
            ? ['pids.events', 'max']
            : [version === 1 ? 'memory.oom_control' : 'memory.events', 'oom_kill'];
        if ((await countIn(join(folder, file), key)) > 0) return controller;
      }
      return undefined;
    },
  };
}

async function write(folder: string, [file, value, optional]: Setting): Promise<void> {
  try {
    await writeFile(join(folder, file), value);
  } catch (err) {
    if (optional === undefined) throw err;
  }
}

/** The number after `key` in a file of lines `key number`; 0 where the kernel has no such file. */
async function countIn(path: string, key: string): Promise<number> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const line = text.split('\n').find((each) => each.startsWith(`${key} `));
  return Number(line?.slice(key.length + 1) ?? 0);
}

/** A group with a process in it cannot be removed; false: one is left. */
export async function removeGroups(folders: readonly string[]): Promise<boolean> {
  let gone = true;
  for (const folder of folders) {
    try {
      await rmdir(folder);
    } catch (err) {
      if (!hasCode(err, 'ENOENT')) gone = false;
    }
  }
  return gone;
}

/** Every process in the groups. */
export async function processesIn(folders: readonly string[]): Promise<number[]> {
  const lists = await Promise.all(
    folders.map((folder) => readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '')),
  );
  return [...new Set(lists.flatMap((list) => list.split('\n').filter(Boolean).map(Number)))];
}

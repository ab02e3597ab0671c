import { execa } from 'execa';
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { homeTag } from '../../executor/providers/qemu/host.js';

/** Processes, interfaces, tables and folders that machines of this home left on the host. */
export async function leftovers(home: string): Promise<string[]> {
  const machines = join(home, 'machines');
  const folders = await readdir(machines).catch(() => []);
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const processes = await Promise.all(pids.map(async (pid) => ((await uses(pid, machines)) ? [`process ${pid}`] : [])));
  const links = await execa('ip', ['-o', 'link', 'show', 'type', 'veth']);
  const tables = await execa('nft', ['list', 'tables'], { reject: false });
  const ours = [...links.stdout.split('\n'), ...tables.stdout.split('\n')].filter((line) =>
    line.includes(homeTag(home)),
  );
  return [...folders, ...processes.flat(), ...ours];
}

/** Does the process work in a folder below `dir`, or hold a file there open? */
async function uses(pid: string, dir: string): Promise<boolean> {
  const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const links = [`/proc/${pid}/cwd`, ...files.map((fd) => `/proc/${pid}/fd/${fd}`)];
  const targets = await Promise.all(links.map((link) => readlink(link).catch(() => '')));
  return targets.some((target) => target.startsWith(dir));
}

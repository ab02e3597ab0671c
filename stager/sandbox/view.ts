import { existsSync, type Dirent } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** One thing of the root that a job sees. Nothing of it is writable. */
export type ViewEntry = { at: string } & ({ link: string } | { host: string });

/** Who a job is, to itself: the account of Cloud Foundry's containers. */
export const INSIDE = { user: 'vcap', uid: 2000, gid: 2000, hostname: 'staging' } as const;

/** Top-level folders of the host that a job may read: programs and libraries. */
const HOST_TOP = ['usr', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];

/** What programs want from the host's /etc. Not there: accounts, passwords, keys, services, /etc/ssl/private. */
const HOST_ETC = [
  /^(alternatives|ca-certificates|java-\d+-openjdk|maven|perl|python3(\.\d+)?)$/,
  /^(ld\.so\.(cache|conf|conf\.d)|nsswitch\.conf|localtime|timezone|os-release|debian_version)$/,
  /^(mime\.types|services|protocols|gai\.conf|magic)$/,
];
const HOST_SSL = ['certs', 'openssl.cnf'];

/** Of a root tree the operator names: all but what is made anew, and what nobody needs to read. */
const MADE_ANEW = ['proc', 'sys', 'dev', 'tmp', 'run', 'home', 'root', 'mnt', 'media', 'lost+found', 'etc'];
const SECRET_ETC = /^(shadow|gshadow|passwd|group|subuid|subgid)-?$|^(ssh|sudoers|sudoers\.d|security)$/;

/** Files of /etc that a job gets from us. `resolv` as in resolv.conf. */
export function ownEtc(resolv: string): Record<string, string> {
  const { user, uid, gid, hostname } = INSIDE;
  return {
    passwd: `root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n${user}:x:${uid}:${gid}::/home/${user}:/bin/bash\n`,
    group: `root:x:0:\n${user}:x:${gid}:\n`,
    hosts: `127.0.0.1 localhost ${hostname}\n::1 localhost\n`,
    hostname: `${hostname}\n`,
    'resolv.conf': resolv,
  };
}

/** The read-only root: parts of the host's, or all of `rootfs`; with `readable`, paths of the host, where they exist. */
export async function view(rootfs: string | undefined, readable: readonly string[]): Promise<ViewEntry[]> {
  const more = readable.filter((path) => existsSync(path)).map((path) => ({ at: path, host: path }));
  return [...(await tree(rootfs)), ...more];
}

async function tree(rootfs: string | undefined): Promise<ViewEntry[]> {
  const own = Object.keys(ownEtc(''));
  if (rootfs === undefined) {
    const ssl = HOST_SSL.map((name) => `/etc/ssl/${name}`).filter((path) => existsSync(path));
    return [
      ...(await entries('/', '/', (name) => HOST_TOP.includes(name))),
      ...(await entries('/etc', '/etc', (name) => !own.includes(name) && HOST_ETC.some((kind) => kind.test(name)))),
      ...ssl.map((path) => ({ at: path, host: path })),
    ];
  }
  return [
    ...(await entries(rootfs, '/', (name) => !MADE_ANEW.includes(name))),
    ...(await entries(join(rootfs, 'etc'), '/etc', (name) => !own.includes(name) && !SECRET_ETC.test(name))),
  ];
}

async function entries(folder: string, at: string, wanted: (name: string) => boolean): Promise<ViewEntry[]> {
  const found = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => wanted(name));
  return Promise.all(found.map((entry) => viewOf(entry, folder, at)));
}

/** A link stays one: its target is looked up inside, and leads nowhere when it is not in the view. */
async function viewOf(entry: Dirent, folder: string, at: string): Promise<ViewEntry> {
  const host = join(folder, entry.name);
  const inside = join(at, entry.name);
  return entry.isSymbolicLink() ? { at: inside, link: await readlink(host) } : { at: inside, host };
}

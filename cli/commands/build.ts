import type { Command } from 'commander';
import { resolve } from 'node:path';
import { buildGuests, type GuestName } from '../../backend/api/schema/guests.js';
import type { ImageSummary } from '../../backend/api/schema/images.js';
import { UnikError } from '../../core/errors.js';
import type { Client } from '../client.js';
import { packFolder } from '../pack.js';
import { usage } from '../parse.js';
import { ByteBar, Progress } from '../progress.js';
import { shortDigest } from '../render.js';
import { print, printJson, type Shell } from '../shell.js';
import { daemonCommand, withClient, yes, type HostOption } from './common.js';

interface BuildFlags extends HostOption {
  tag?: string;
  name?: string;
  path?: string;
  shell?: boolean;
  guest?: string;
  kernel?: string;
  arch?: string;
  quiet?: boolean;
  json?: boolean;
}

export function addBuild(program: Command, shell: Shell): void {
  daemonCommand(program, 'build [dir]', 'make a bootable image of an application folder')
    .option('-t, --tag <name>', 'name of the image: NAME or NAME:TAG')
    .option('--name <name>', 'the same, as UniK wrote it')
    .option('--path <dir>', 'the folder, as UniK wrote it')
    .option('--shell', 'put a shell into the image, for apps that start by a script')
    .option(
      '--guest <name>',
      'linux, unikraft, nanos, osv, solo5, rumprun, multiboot; default: the smallest that suits',
    )
    .option('--kernel <id>', 'boot it with this kernel entry and no other')
    .option('--arch <name>', "the processor: amd64 or arm64; default: the daemon's own")
    .option('-q, --quiet', 'print only the digest')
    .option('--json', 'print the image as JSON')
    .action(async (dir: string | undefined, flags: BuildFlags) => {
      const folder = dir ?? flags.path;
      if (folder === undefined) throw usage('give the application folder: unik build DIR -t NAME');
      const name = flags.tag ?? flags.name;
      const { guest, kernel } = flags;
      const order = {
        folder,
        name,
        guest,
        kernel,
        arch: flags.arch,
        shell: flags.shell ?? false,
        quiet: flags.quiet ?? flags.json ?? false,
      };
      const image = await withClient(shell, flags, (client) => buildImage(shell, client, order));
      if (flags.json === true) printJson(shell, image);
      else if (flags.quiet === true) print(shell.stdout, image.digest);
      else print(shell.stdout, `${name ?? image.digest} ${shortDigest(image.digest)}`);
    });
}

export interface BuildWish {
  folder: string;
  name: string | undefined;
  shell: boolean;
  quiet: boolean;
  guest?: string | undefined;
  kernel?: string | undefined;
  arch?: string | undefined;
}

/** Builds where the daemon is: from the folder itself on this host, from an upload elsewhere. Progress on stderr. */
export async function buildImage(shell: Shell, client: Client, wish: BuildWish): Promise<ImageSummary> {
  const path = resolve(shell.cwd, wish.folder);
  const { name } = wish;
  const guest = guestOf(wish.guest, shell.env['UNIK_GUEST']);
  const arch = archOf(wish.arch);
  const chosen = {
    ...(guest ? { guest } : {}),
    ...(wish.kernel === undefined ? {} : { kernel: wish.kernel }),
    ...(arch ? { arch } : {}),
  };
  const lines =
    client.target.kind === 'unix'
      ? await client.stream('imageBuild', { query: {}, body: { path, name, shell: wish.shell, ...chosen } })
      : await upload(shell, client, path, { ...wish, guest, arch });
  const progress = new Progress(shell.stderr, shell.now);
  try {
    for await (const line of lines) {
      if ('image' in line) return line.image;
      if (!wish.quiet) progress.step(line.progress);
    }
  } finally {
    progress.end();
  }
  throw new UnikError('daemon_unreachable', 'the daemon went away during the build');
}

/** The option, else UNIK_GUEST of who calls: the daemon has an environment of its own. */
function guestOf(option: string | undefined, env: string | undefined): GuestName | undefined {
  const wish = option ?? (env === '' ? undefined : env);
  if (wish === undefined) return undefined;
  const known = buildGuests.find((name) => name === wish);
  if (known) return known;
  throw usage(`--guest ${wish}: there are ${buildGuests.join(', ')}`);
}

type Arch = 'x86_64' | 'aarch64';
const ARCHES: Record<string, Arch> = { x86_64: 'x86_64', amd64: 'x86_64', aarch64: 'aarch64', arm64: 'aarch64' };

function archOf(word: string | undefined): Arch | undefined {
  if (word === undefined) return undefined;
  const arch = ARCHES[word];
  if (arch) return arch;
  throw usage(`--arch ${word}: there are ${Object.keys(ARCHES).join(', ')}`);
}

async function upload(
  shell: Shell,
  client: Client,
  path: string,
  wish: Omit<BuildWish, 'guest' | 'arch'> & { guest: GuestName | undefined; arch: Arch | undefined },
) {
  let bar: ByteBar | undefined;
  const { stream, bytes } = await packFolder(path, (count) => bar?.add(count));
  if (!wish.quiet) bar = new ByteBar(shell.stderr, `sending ${path}`, bytes);
  stream.on('close', () => bar?.end());
  return client.stream(
    'imageBuild',
    { query: { name: wish.name, shell: yes(wish.shell), guest: wish.guest, kernel: wish.kernel, arch: wish.arch } },
    { upload: stream },
  );
}

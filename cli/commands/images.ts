import type { Command } from 'commander';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { toUnikError } from '../../core/errors.js';
import type { CallInput } from '../../backend/api/schema/routes.js';
import type { Client } from '../client.js';
import { ago, bytesText, shortDigest, table } from '../render.js';
import { print, printJson, type Shell } from '../shell.js';
import { daemonCommand, refsOf, withClient, yes, type HostOption } from './common.js';

type ListFlags = HostOption & { quiet?: boolean; json?: boolean };
type RemoveFlags = HostOption & { image?: string; force?: boolean };

export function addImages(program: Command, shell: Shell): void {
  addList(program, 'images');
  addRemove(program, 'rmi').alias('delete-image');

  const image = program.command('image').description('work with images');
  addList(image, 'ls');
  addRemove(image, 'rm');

  daemonCommand(image, 'tag <image> <name>', 'give an image another name').action(
    (ref: string, name: string, flags: HostOption) =>
      withClient(shell, flags, async (client) => {
        const { digest } = await client.call('imageTag', { params: { ref }, body: { name } });
        print(shell.stdout, `${name} ${shortDigest(digest)}`);
      }),
  );
  daemonCommand(image, 'verify <image>', 'compute the digest of every byte again').action(
    (ref: string, flags: HostOption) =>
      withClient(shell, flags, async (client) => {
        const { digest } = await client.call('imageVerify', { params: { ref } });
        print(shell.stdout, `${digest} is intact`);
      }),
  );
  daemonCommand(image, 'droplet <image>', 'write it as a Cloud Foundry droplet')
    .option('-o, --output <file>', 'default: NAME.droplet.tgz')
    .action((ref: string, flags: HostOption & { output?: string }) =>
      withClient(shell, flags, async (client) => {
        const file = flags.output ?? `${ref.replace(/[^a-zA-Z0-9._-]/g, '_')}.droplet.tgz`;
        await download(await client.download('imageDroplet', { params: { ref } }), resolve(shell.cwd, file));
        print(shell.stdout, file);
      }),
    );
  daemonCommand(image, 'export <image>', 'write it as a disk that boots elsewhere')
    .requiredOption('--format <name>', 'raw, qcow2, vmdk-stream, vmdk-flat (a tar with two files), vdi or vhd')
    .requiredOption('-o, --output <file>', 'where to')
    .action((ref: string, flags: HostOption & { format: string; output: string }) =>
      withClient(shell, flags, async (client) => {
        const query = { format: flags.format as CallInput<'imageExport'>['query']['format'] };
        await download(
          await client.download('imageExport', { params: { ref }, query }),
          resolve(shell.cwd, flags.output),
        );
        print(shell.stdout, flags.output);
      }),
    );

  function addList(parent: Command, name: string): void {
    daemonCommand(parent, name, 'list images')
      .option('-q, --quiet', 'print only digests')
      .option('--json', 'print JSON')
      .action((flags: ListFlags) => withClient(shell, flags, (client) => list(shell, client, flags)));
  }

  function addRemove(parent: Command, name: string): Command {
    return daemonCommand(parent, `${name} [images...]`, 'remove images, or names of them')
      .option('--image <name>', 'the image, as UniK wrote it')
      .option('-f, --force', 'also its instances')
      .action((refs: string[], flags: RemoveFlags) =>
        withClient(shell, flags, async (client) => {
          for (const ref of refsOf(refs, flags.image, 'an image')) {
            const gone = await client.call('imageRemove', { params: { ref }, query: { force: yes(flags.force) } });
            for (const instance of gone.instances) print(shell.stdout, `removed instance ${instance}`);
            for (const untagged of gone.untagged) print(shell.stdout, `untagged ${untagged}`);
            if (gone.deleted !== undefined) print(shell.stdout, `deleted ${gone.deleted}`);
          }
        }),
      );
  }
}

async function list(shell: Shell, client: Client, flags: ListFlags): Promise<void> {
  const images = await client.call('images', {});
  if (flags.json === true) {
    printJson(shell, images);
    return;
  }
  if (flags.quiet === true) {
    for (const { digest } of images) print(shell.stdout, digest);
    return;
  }
  const cells = images.map((image) => [
    image.names.join(', ') || '<none>',
    shortDigest(image.digest),
    image.guest,
    image.arch,
    `${ago(shell.now() - Date.parse(image.created))} ago`,
    bytesText(image.bytes),
  ]);
  print(shell.stdout, table(['NAME', 'DIGEST', 'GUEST', 'ARCH', 'CREATED', 'SIZE'], cells));
}

/** Whole or not at all. */
async function download(content: Readable, file: string): Promise<void> {
  try {
    await pipeline(content, createWriteStream(file));
  } catch (err) {
    await rm(file, { force: true });
    throw toUnikError(err);
  }
}

import { createReadStream, createWriteStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { extract, pack, type Pack } from 'tar-stream';
import { z } from 'zod';
import { hasCode, messageOf, UnikError } from '../../core/errors.js';
import { commandText } from './command-text.js';
import { digestFile, digestImage } from './digest.js';
import { imageSchema, type Image } from './image.js';
import { checkRootFile, type ImageStore, type StoredImage } from './store.js';

const FOLDER = './unik/image/';
/** Where a droplet carries its image (design 4.1): at its top, or where a classic buildpack may write. */
const PLACES = /^(?:\.\/)?(?:deps\/\d+\/)?unik\/image\/([A-Za-z0-9][A-Za-z0-9._-]*)$/;
const EPOCH = new Date(0);

/**
 * Writes the image as a Cloud Foundry droplet (a gzipped tar) to `out` and ends it. The same image gives the same bytes.
 */
export async function packDroplet(image: StoredImage, out: Writable, signal?: AbortSignal): Promise<void> {
  const { dir, ...document } = image;
  const tar = pack();
  const options = signal ? { signal } : {};
  const written = pipeline(tar, createGzip(), out, options);
  // A consumer that goes away ends the pipeline, which then is what fails.
  written.catch((err: unknown) => tar.destroy(err instanceof Error ? err : new Error(messageOf(err))));
  await Promise.all([written, fill(tar, document, dir)]);
}

async function fill(tar: Pack, image: Image, dir: string): Promise<void> {
  const staged = { detected_buildpack: 'UniK', start_command: startCommand(image) };
  await addText(tar, './staging_info.yml', `${JSON.stringify(staged)}\n`);
  await addText(tar, `${FOLDER}image.json`, `${JSON.stringify(image, null, 2)}\n`);
  const root = join(dir, image.root.file);
  const entry = tar.entry({ ...HEADER, name: `${FOLDER}${image.root.file}`, size: (await stat(root)).size });
  await pipeline(createReadStream(root, { highWaterMark: 1024 * 1024 }), entry);
  tar.finalize();
}

const HEADER = { mode: 0o644, mtime: EPOCH, uid: 0, gid: 0, type: 'file' as const };

async function addText(tar: Pack, name: string, text: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    tar.entry({ ...HEADER, name }, text, (err) => (err ? reject(err) : resolve()));
  });
}

/** What Cloud Foundry shows as the start command, and gives back when nobody changes it. Empty without `web`. */
export function startCommand(image: Pick<Image, 'processes'>): string {
  const web = image.processes['web'];
  return web ? commandText(web) : '';
}

/**
 * Reads a droplet and takes the image in it into the store. Every byte is checked against the digests before.
 * Throws image_invalid (no image in it), image_truncated, image_digest_mismatch, disk_full.
 */
export async function unpackDroplet(droplet: Readable, store: ImageStore, signal?: AbortSignal): Promise<StoredImage> {
  return store.prepare(async (dir) => {
    await extractImage(droplet, dir, signal);
    const image = await readDocument(dir);
    checkRootFile(image);
    const root = join(dir, image.root.file);
    const bytes = await sizeOf(root);
    if (bytes !== image.root.bytes) {
      throw new UnikError('image_truncated', `the droplet has ${bytes} bytes of root instead of ${image.root.bytes}`);
    }
    if ((await digestFile(root, signal)) !== image.root.digest || digestImage(image) !== image.digest) {
      throw new UnikError('image_digest_mismatch', `the droplet's image is not what its digest ${image.digest} says`);
    }
    return store.add(dir, image);
  });
}

async function extractImage(droplet: Readable, dir: string, signal?: AbortSignal): Promise<void> {
  const tar = extract();
  const done = pipeline(droplet, createGunzip(), tar, signal ? { signal } : {});
  const read = async (): Promise<void> => {
    for await (const entry of tar) {
      const file = entry.header.type === 'file' ? PLACES.exec(entry.header.name)?.[1] : undefined;
      if (file === undefined) entry.resume();
      else await pipeline(entry, createWriteStream(join(dir, file), { flags: 'wx', mode: 0o600 }));
    }
  };
  try {
    await Promise.all([done, read()]);
  } catch (err) {
    signal?.throwIfAborted();
    if (hasCode(err, 'ENOSPC') || hasCode(err, 'EDQUOT')) throw err;
    throw new UnikError('image_truncated', `the droplet cannot be read: ${messageOf(err)}`, { cause: err });
  }
}

async function readDocument(dir: string): Promise<Image> {
  let text: string;
  try {
    text = await readFile(join(dir, 'image.json'), 'utf8');
  } catch (err) {
    throw new UnikError(
      'image_invalid',
      'the droplet holds no unikernel image: it was staged for another stack, run `cf restage`',
      { cause: err },
    );
  }
  try {
    return imageSchema.parse(JSON.parse(text));
  } catch (err) {
    const why = err instanceof z.ZodError ? z.prettifyError(err) : messageOf(err);
    throw new UnikError('image_invalid', `the droplet's image.json is not valid: ${why}`, { cause: err });
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

import { UnikError } from '../../../core/errors.js';
import { normalizeName } from '../../../executor/images/names.js';
import { stream } from '../instances/hub.js';
import type { Parts, StoredImage } from '../parts.js';
import type { Arch, GuestName } from '../../../executor/model.js';
import type { BuildLine, ImageSummary } from '../schema/images.js';
import type { Context, Handlers } from '../server.js';
import { unpackUpload } from '../upload.js';

type Names = Extract<keyof Handlers, `image${string}` | `kernel${string}`>;

export function imageHandlers(parts: Parts): Pick<Handlers, Names> {
  const { images, kernels, apps, log } = parts;
  const summary = async (image: StoredImage): Promise<ImageSummary> =>
    summarizeImage(image, await images.names(image.digest));
  const inUse = (digest: string): boolean => apps.board.using(digest).length > 0;
  return {
    images: async () => {
      const all = await images.list((digest, err) => log.warn({ digest, reason: err.message }, 'image.broken'));
      return all.map((image) => summarizeImage(image, image.names));
    },
    image: async ({ params }) => {
      const { dir: _, ...image } = await images.get(params.ref);
      return { ...image, names: await images.names(image.digest) };
    },
    imageTag: async ({ params, body }) => {
      await images.tag(body.name, params.ref);
      return summary(await images.get(params.ref));
    },
    imageVerify: async ({ params }, { signal }) => {
      await images.verify(params.ref, signal);
      return summary(await images.get(params.ref));
    },
    imageRemove: async ({ params, query }) => {
      const gone: string[] = [];
      if (query.force === true) {
        const { digest } = await images.get(params.ref).catch(() => ({ digest: params.ref }));
        for (const app of apps.board.using(digest)) gone.push((await apps.remove(app.id, true)).name);
      }
      const removal = await images.remove(params.ref, { force: query.force ?? false, inUse });
      return { ...removal, instances: gone };
    },
    imageDroplet: async ({ params }, { signal }) => {
      const image = await images.get(params.ref);
      const filename = `${params.ref.replace(/[^a-zA-Z0-9._-]/g, '_')}.droplet.tgz`;
      return { filename, content: await parts.droplet(image, signal) };
    },
    imageExport: async ({ params, query }, { signal }) => {
      const image = await images.get(params.ref);
      return parts.disk(image, query.format, signal);
    },
    imageBuild: async ({ body, query }, context) => {
      // Before the work, not after it.
      const name = context.upload ? query.name : body.name;
      if (name !== undefined) normalizeName(name);
      const source = (progress: (line: string) => void): Promise<StoredImage> =>
        context.upload
          ? buildUpload(parts, context, { ...query, name, shell: query.shell ?? false, progress })
          : buildFolder(parts, context, { ...body, name, shell: body.shell ?? false, progress });
      if (!context.wantsStream) return summary(await source(() => undefined));
      return primed(buildLines(async (progress) => summary(await source(progress)), context.signal));
    },
    kernels: () => kernels.list(),
    kernelImport: async ({ body }, { local }) => {
      if (!local) throw remotePath();
      return kernels.import(body);
    },
    kernel: ({ params }) => kernels.get(params.id),
    kernelPull: async ({ body }, { local, signal }) => {
      if (!local && body.credentials !== undefined) throw remotePath();
      return kernels.pull(body, signal);
    },
    kernelVerify: async ({ params }, { signal }) => {
      const { limits } = await kernels.verify(params.id, signal);
      return { id: params.id, ok: true as const, ...(limits ? { limits } : {}) };
    },
    kernelRemove: async ({ params }) => {
      await kernels.remove(params.id);
      return { id: params.id, ok: true as const };
    },
  };
}

interface Wish {
  name: string | undefined;
  shell: boolean;
  guest?: GuestName | undefined;
  kernel?: string | undefined;
  arch?: Arch | undefined;
  progress: (line: string) => void;
}

async function buildFolder(
  parts: Parts,
  { local, signal }: Context,
  wish: Wish & { path: string },
): Promise<StoredImage> {
  // A caller from elsewhere must not have a folder of this host packed up for it.
  if (!local) throw remotePath();
  const { path, ...rest } = wish;
  return parts.build({ ...rest, source: path, signal });
}

async function buildUpload(parts: Parts, { upload, signal }: Context, wish: Wish): Promise<StoredImage> {
  if (!upload) throw new UnikError('bad_request', 'the request has no body');
  return unpackUpload(parts.home, upload, signal, (source) => parts.build({ ...wish, source, signal }));
}

/** Progress as it comes, then the image. */
async function* buildLines(
  build: (progress: (line: string) => void) => Promise<ImageSummary>,
  signal: AbortSignal,
): AsyncGenerator<BuildLine> {
  const done = new AbortController();
  let progress: (line: string) => void = () => undefined;
  const lines = stream<string>(
    (listener) => {
      progress = listener;
      return () => (progress = () => undefined);
    },
    AbortSignal.any([signal, done.signal]),
    Infinity,
  );
  const first = lines.next();
  const image = build((line) => progress(line)).finally(() => done.abort());
  image.catch(() => undefined); // told by the await below
  for (let next = await first; next.done !== true; next = await lines.next()) yield { progress: next.value };
  yield { image: await image };
}

/** Waits for the first line, so that a refusal comes with its own status instead of a 201 that fails later. */
async function primed<T>(lines: AsyncGenerator<T>): Promise<AsyncGenerator<T>> {
  const first = await lines.next();
  return (async function* () {
    if (first.done !== true) yield first.value;
    yield* lines;
  })();
}

function summarizeImage(image: StoredImage, names: string[]): ImageSummary {
  return {
    digest: image.digest,
    names,
    guest: image.guest,
    arch: image.arch,
    bytes: image.root.bytes,
    created: image.created,
    ports: image.ports,
    processes: Object.keys(image.processes),
  };
}

function remotePath(): UnikError {
  return new UnikError(
    'bad_request',
    'path: a folder of the host is only taken on its Unix socket; upload a tar stream',
  );
}

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { Image } from './image.js';

/** `sha256:<hex>` of a file's bytes. */
export async function digestFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash, signal ? { signal } : {});
  return `sha256:${hash.digest('hex')}`;
}

/** The image's digest: over the canonical JSON of everything but `digest`, `created` and `labels`. */
export function digestImage(image: Omit<Image, 'digest'>): string {
  const { created: _created, labels: _labels, ...covered } = { ...image, digest: undefined };
  return `sha256:${createHash('sha256').update(canonicalJson(covered)).digest('hex')}`;
}

/** JSON with sorted keys and no spaces: one text for one value. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    isRecord(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

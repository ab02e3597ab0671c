import { z } from 'zod';
import { UnikError } from '../../../core/errors.js';
import { jsonOf } from '../../../core/json.js';
import { recordApp } from '../actions/apps.js';
import { readForm } from '../bits/multipart.js';
import { makePackage, PACKAGE_LIMITS, type KnownFile } from '../bits/package.js';
import type { Cc } from '../cc.js';
import { cfError, CfError, invalid } from '../errors.js';
import type { Call } from '../http.js';
import type { App, Package } from '../model.js';
import { needFlag } from './feature-flags.js';
import { presentPackage } from './present-apps.js';

const sha1 = z.string().regex(/^[0-9a-f]{40}$/i);
/** As `cf push` sends them: in v3's words when it asks, in either's when it uploads. */
export const resourceSchema = z.union([
  z
    .looseObject({
      path: z.string().optional(),
      mode: z.string().optional(),
      checksum: z.looseObject({ value: sha1 }),
      size_in_bytes: z.int().min(0),
    })
    .transform(({ path, mode, checksum, size_in_bytes }) => ({
      path,
      mode,
      sha1: checksum.value.toLowerCase(),
      bytes: size_in_bytes,
    })),
  z
    .looseObject({ fn: z.string(), mode: z.string().optional(), sha1, size: z.int().min(0) })
    .transform((one) => ({ path: one.fn, mode: one.mode, sha1: one.sha1.toLowerCase(), bytes: one.size })),
]);
/** The bits of a package, from those that are sent and those that are known already. */
export async function uploadPackage(cc: Cc, call: Call, { row, app }: { row: Package; app: App }): Promise<object> {
  const { store, blobs, known_files, config } = cc;
  needFlag(store, 'app_bits_upload', call.access.admin);
  if (row.type !== 'bits') throw invalid('Package type must be bits.');
  if (row.state !== 'AWAITING_UPLOAD') throw cfError('PackageBitsAlreadyUploaded');
  const scratch = await blobs.scratch();
  try {
    const limits = { ...PACKAGE_LIMITS, max_bytes: config.limits.package_bytes };
    const form = await readForm(call.request, {
      folder: scratch.path,
      max_bytes: limits.max_bytes,
      signal: call.signal,
    });
    const known = knownFiles(form.fields.get('resources'));
    const sent = form.files.get('bits')?.path;
    if (sent === undefined && known.length === 0) throw invalid('Upload must include either resources or bits');
    // Two uploads at once: the second sees the first.
    if (store.package.get(row.guid)?.state !== 'AWAITING_UPLOAD') throw cfError('PackageBitsAlreadyUploaded');
    store.change((tx) => tx.update('package', row.guid, { state: 'PROCESSING_UPLOAD' }));
    try {
      const blob = await makePackage(sent, known, { blobs, resources: known_files, limits, signal: call.signal });
      try {
        const updated = store.change((tx) => {
          recordApp(cc, tx, call.caller, 'audit.app.package.upload', app, { package_guid: row.guid });
          return tx.update('package', row.guid, { state: 'READY', sha256: blob.sha256, bytes: blob.bytes });
        });
        return presentPackage(cc, updated);
      } finally {
        blob.release();
      }
    } catch (err) {
      // The client has gone, or we are ending: it may send them again.
      if (call.signal.aborted) {
        store.change((tx) => tx.update('package', row.guid, { state: 'AWAITING_UPLOAD' }));
        throw err;
      }
      const error = refusal(err);
      store.change((tx) => tx.update('package', row.guid, { state: 'FAILED', error: error.message }));
      throw error;
    }
  } finally {
    await scratch.remove();
  }
}

function refusal(err: unknown): CfError {
  if (err instanceof CfError) return err;
  if (err instanceof UnikError && (err.code === 'archive_invalid' || err.code === 'archive_too_large'))
    return cfError('AppBitsUploadInvalid', err.message);
  throw err;
}

function knownFiles(text: string | undefined): KnownFile[] {
  if (text === undefined || text === '') return [];
  const value = jsonOf(text);
  if (value === undefined) throw cfError('AppBitsUploadInvalid', 'resources is no JSON');
  const parsed = z.array(resourceSchema).max(200_000).safeParse(value);
  if (!parsed.success) throw cfError('AppBitsUploadInvalid', 'resources is no list of path, mode, checksum and size');
  return parsed.data.map(({ path, mode, sha1: sum, bytes }) => ({
    ...{ path: path ?? '', sha1: sum, bytes },
    mode: Number.parseInt(mode ?? '644', 8) || 0o644,
  }));
}

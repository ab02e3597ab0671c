import {
  CompleteSnapshotCommand,
  PutSnapshotBlockCommand,
  StartSnapshotCommand,
  type EBSClient,
} from '@aws-sdk/client-ebs';
import { DescribeSnapshotsCommand, type EC2Client, type Tag } from '@aws-sdk/client-ec2';
import { createHash } from 'node:crypto';
import { mkdir, open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../core/clock.js';
import { UnikError } from '../../../core/errors.js';
import { readJsonFile, writeJsonFile } from '../../../core/json-file.js';
import { poll } from '../../../core/retry.js';
import { isZero } from '../../disks/disk.js';
import type { RawDisk } from '../../remote/driver.js';
import { awsError, isGone, nameOf, statusOf } from './errors.js';

/** EBS direct APIs: what a snapshot is written in. The service tells it again. */
const BLOCK = 524_288;
const GB = 2 ** 30;
/** coldsnap's bound: a new snapshot may be unknown to the servers of its blocks for a while. */
const TRIES = 12;
const COMPLETE_MS = 15 * 60_000;
/** A note every so many blocks. */
const NOTE_EVERY = 16;

interface Note {
  snapshot_id: string;
  /** Numbers the uploads of one disk, so that a token is not used for two snapshots. */
  attempt: number;
  done: number[];
}

export interface UploadParts {
  blocks: EBSClient;
  control: EC2Client;
  clock: Clock;
  /** What was sent is noted here, so that a later process goes on where we stopped. */
  dir: string;
  workers: number;
  tags: Tag[];
  /** Unique per disk and owner; with the attempt, the idempotency token. */
  token: string;
}

/**
 * Writes a disk as a snapshot, without a bucket or an import task: its blocks that are not all zero, several at a time.
 * Gives the completed snapshot's id. Begun again, by whatever process, it goes on.
 */
export async function uploadSnapshot(disk: RawDisk, parts: UploadParts, signal: AbortSignal): Promise<string> {
  await mkdir(parts.dir, { recursive: true, mode: 0o700 });
  const path = join(parts.dir, `${disk.digest}.json`);
  const file = await open(disk.path, 'r');
  try {
    const note = await begin((await readJsonFile(path)) as Note | undefined, await gigabytes(file), parts);
    if (note.complete) return note.snapshot_id;
    await writeJsonFile(path, stripped(note));
    const sent = await sendBlocks(file, note, { ...parts, path }, signal);
    const end = { SnapshotId: note.snapshot_id, ChangedBlocksCount: sent };
    await parts.blocks.send(new CompleteSnapshotCommand(end), { abortSignal: signal }).catch(fail('CompleteSnapshot'));
    await untilComplete(note.snapshot_id, parts, signal);
    await rm(path, { force: true });
    return note.snapshot_id;
  } finally {
    await file.close();
  }
}

const stripped = ({ snapshot_id, attempt, done }: Note): Note => ({ snapshot_id, attempt, done });

async function gigabytes(file: FileHandle): Promise<number> {
  return Math.max(1, Math.ceil((await file.stat()).size / GB));
}

/** The snapshot of an earlier try where it can still be written, else a new one. */
async function begin(
  before: Note | undefined,
  gigabytes: number,
  parts: UploadParts,
): Promise<Note & { complete: boolean }> {
  if (before) {
    const state = await stateOf(before.snapshot_id, parts);
    if (state === 'completed' || state === 'pending') return { ...before, complete: state === 'completed' };
  }
  const attempt = (before?.attempt ?? 0) + 1;
  const started = await parts.blocks
    .send(
      new StartSnapshotCommand({
        VolumeSize: gigabytes,
        ClientToken: `${parts.token.slice(0, 48)}-${attempt}`,
        Timeout: 60,
        Description: 'unik',
        Tags: parts.tags,
      }),
    )
    .catch(fail('StartSnapshot'));
  if (started.SnapshotId === undefined || started.BlockSize !== BLOCK) {
    throw new UnikError(
      'provider_unavailable',
      `StartSnapshot: blocks of ${String(started.BlockSize)} bytes, not ${BLOCK}`,
    );
  }
  // The token may have given one that a process which died before its note had begun, or even completed.
  const complete = started.Status === 'completed';
  return { snapshot_id: started.SnapshotId, attempt, done: [], complete };
}

async function stateOf(id: string, { control }: UploadParts): Promise<string | undefined> {
  try {
    const { Snapshots = [] } = await control.send(new DescribeSnapshotsCommand({ SnapshotIds: [id] }));
    return Snapshots[0]?.State;
  } catch (err) {
    if (isGone(err)) return undefined;
    throw awsError(err, 'DescribeSnapshots');
  }
}

/** Gives how many blocks the snapshot holds now. */
async function sendBlocks(
  file: FileHandle,
  note: Note,
  parts: UploadParts & { path: string },
  signal: AbortSignal,
): Promise<number> {
  const { size } = await file.stat();
  const done = new Set(note.done);
  const failed = new AbortController();
  const both = AbortSignal.any([signal, failed.signal]);
  let next = 0;
  let unnoted = 0;
  let noting: Promise<void> = Promise.resolve();
  const worker = async (): Promise<void> => {
    for (;;) {
      const index = next++;
      if (index * BLOCK >= size) return;
      if (done.has(index)) continue;
      both.throwIfAborted();
      const { buffer, bytesRead } = await file.read(Buffer.alloc(BLOCK), 0, BLOCK, index * BLOCK);
      if (isZero(buffer.subarray(0, bytesRead))) continue;
      await sendBlock(note.snapshot_id, { index, bytes: buffer }, parts, both);
      done.add(index);
      if (++unnoted % NOTE_EVERY !== 0) continue;
      const now = { ...stripped(note), done: [...done] };
      noting = noting.then(() => writeJsonFile(parts.path, now));
      await noting;
    }
  };
  const workers = Array.from({ length: parts.workers }, () =>
    worker().catch((err: unknown) => {
      failed.abort(err);
      throw err;
    }),
  );
  const results = await Promise.allSettled(workers);
  await noting;
  await writeJsonFile(parts.path, { ...stripped(note), done: [...done] });
  if (results.some(({ status }) => status === 'rejected')) throw (failed.signal.reason ?? signal.reason) as Error;
  return done.size;
}

async function sendBlock(
  snapshot: string,
  block: { index: number; bytes: Buffer },
  { blocks, clock }: UploadParts,
  signal: AbortSignal,
): Promise<void> {
  const put = new PutSnapshotBlockCommand({
    SnapshotId: snapshot,
    BlockIndex: block.index,
    BlockData: block.bytes,
    DataLength: BLOCK,
    Checksum: createHash('sha256').update(block.bytes).digest('base64'),
    ChecksumAlgorithm: 'SHA256',
  });
  for (let attempt = 1; ; attempt++) {
    try {
      await blocks.send(put, { abortSignal: signal });
      return;
    } catch (err) {
      signal.throwIfAborted();
      if (attempt >= TRIES || !mayPass(err)) throw awsError(err, `PutSnapshotBlock ${block.index}`);
      await clock.sleep(Math.min(10_000, 250 * 2 ** attempt), signal);
    }
  }
}

/** Not yet known everywhere, too many at once, or a server's trouble. */
function mayPass(err: unknown): boolean {
  const passing = ['ResourceNotFoundException', 'ThrottlingException', 'RequestThrottledException', 'TimeoutError'];
  return passing.includes(nameOf(err)) || (statusOf(err) ?? 500) >= 500;
}

function untilComplete(id: string, parts: UploadParts, signal: AbortSignal): Promise<true> {
  return poll(
    async () => {
      const state = await stateOf(id, parts);
      if (state === 'error') throw new UnikError('machine_failed', `snapshot ${id} failed at EBS`);
      return state === 'completed' ? (true as const) : undefined;
    },
    { clock: parts.clock, signal, timeout_ms: COMPLETE_MS, interval_ms: 1_000, what: `snapshot ${id}` },
  );
}

const fail =
  (call: string) =>
  (err: unknown): never => {
    throw awsError(err, call);
  };

import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { ebsError, type Answer } from './answers.js';
import type { Moto, Tag } from './moto.js';

interface SnapshotFacts {
  token: string;
  path: string;
  blocks: Set<number>;
  bytes: number;
  /** Polls that still see it pending. */
  pending: number;
}

const BLOCK = 524_288;

export function ebsAction({ method, url = '' }: IncomingMessage): string {
  if (method === 'POST') return url.includes('/completion/') ? 'CompleteSnapshot' : 'StartSnapshot';
  return method === 'PUT' ? 'PutSnapshotBlock' : 'ListSnapshotBlocks';
}

/** EBS: keeps the blocks of snapshots, which moto does not, and is as strict about them as the real one. */
export class Ebs {
  readonly snapshots = new Map<string, SnapshotFacts>();
  /** Polls until a snapshot is complete. */
  pending_polls = 1;

  constructor(
    private readonly moto: Moto,
    private readonly dir: string,
  ) {}

  async answer(request: IncomingMessage, action: string, body: Buffer): Promise<Answer> {
    if (action === 'StartSnapshot') return this.#start(request, body);
    const [path = ''] = (request.url ?? '').split('?');
    const [, , id = '', , index = ''] = path.split('/');
    const snapshot = this.snapshots.get(action === 'CompleteSnapshot' ? (path.split('/').at(-1) ?? '') : id);
    if (!snapshot)
      return { status: 404, body: '{"Message":"no such snapshot"}', headers: ebsError('ResourceNotFoundException') };
    if (action === 'PutSnapshotBlock') return put(snapshot, Number(index), request, body);
    if (Number(request.headers['x-amz-changedblockscount']) !== snapshot.blocks.size) {
      return { status: 400, body: '{"Message":"ChangedBlocksCount"}', headers: ebsError('ValidationException') };
    }
    snapshot.pending = this.pending_polls;
    return this.moto.forward(request, body);
  }

  async remove(id: string): Promise<void> {
    const snapshot = this.snapshots.get(id);
    if (snapshot) await rm(snapshot.path, { force: true });
    this.snapshots.delete(id);
  }

  /** EC2's list of snapshots, with those pending that are not complete yet. */
  stillPending(xml: string): string {
    return xml.replace(/<snapshotId>(snap-\w+)<\/snapshotId>[\s\S]*?<status>\w+<\/status>/g, (text, id: string) => {
      const snapshot = this.snapshots.get(id);
      if (!snapshot || snapshot.pending <= 0) return text;
      snapshot.pending--;
      return text.replace(/<status>\w+</, '<status>pending<');
    });
  }

  async #start(request: IncomingMessage, body: Buffer): Promise<Answer> {
    const order = JSON.parse(body.toString()) as { ClientToken: string; VolumeSize: number; Tags?: Tag[] };
    const [known] = [...this.snapshots].find(([, { token }]) => token === order.ClientToken) ?? [];
    if (known !== undefined) {
      const { VolumeSize } = order;
      const told = { SnapshotId: known, BlockSize: BLOCK, Status: 'pending', VolumeSize };
      return { status: 201, body: JSON.stringify(told) };
    }
    const answer = await this.moto.forward(request, body);
    const made = JSON.parse(answer.body) as { SnapshotId: string };
    const path = join(this.dir, `${made.SnapshotId}.raw`);
    const file = await open(path, 'w');
    await file.truncate(order.VolumeSize * 2 ** 30);
    await file.close();
    const facts = { token: order.ClientToken, path, blocks: new Set<number>(), bytes: 0, pending: Infinity };
    this.snapshots.set(made.SnapshotId, facts);
    await this.moto.tag(made.SnapshotId, order.Tags ?? []);
    // moto makes a volume to take the snapshot of, which EBS does not.
    const told = await this.moto.ask('DescribeSnapshots', { 'SnapshotId.1': made.SnapshotId });
    await this.moto.ask('DeleteVolume', { VolumeId: /<volumeId>(vol-\w+)/.exec(told)?.[1] ?? '' });
    return { status: 201, body: JSON.stringify({ ...made, BlockSize: BLOCK }) };
  }
}

async function put(snapshot: SnapshotFacts, index: number, request: IncomingMessage, body: Buffer): Promise<Answer> {
  const sum = createHash('sha256').update(body).digest('base64');
  if (body.length !== BLOCK || request.headers['x-amz-checksum'] !== sum) {
    return { status: 400, body: '{"Message":"checksum"}', headers: ebsError('ValidationException') };
  }
  const file = await open(snapshot.path, 'r+');
  await file.write(body, 0, body.length, index * BLOCK);
  await file.close();
  snapshot.blocks.add(index);
  snapshot.bytes += body.length;
  return { status: 201, body: '', headers: { 'x-amz-checksum': sum, 'x-amz-checksum-algorithm': 'SHA256' } };
}

import { execa } from 'execa';
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { open, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free-port.js';
import { peer } from './peers.js';
import { PeerNet, type BootedDisk } from './peer-net.js';

export const ACCESS_KEY = 'AKIAPLANTEDKEYNAME00';
export const SECRET_KEY = 'planted-secret-access-key-of-a-test-4711';
export const SUBNET = 'subnet-of-the-account';

/** What one call meets: `drop` carries it out and loses the answer. */
export type Fault = 'throttle' | 'error' | 'drop' | { delay_ms: number } | { refuse: string } | undefined;

interface SnapshotFacts {
  token: string;
  path: string;
  blocks: Set<number>;
  bytes: number;
  /** Polls that still see it pending. */
  pending: number;
}

interface InstanceFacts {
  token: string;
  born: number;
  ip: string;
  serialFile: string;
  machine?: BootedDisk;
}

/**
 * EC2 and EBS: moto, behind a proxy that makes it as awkward as the real ones (tokens, checksums, throttling, lost
 * answers, answers that come late) and makes its instances real: each boots the disk that was uploaded for its image.
 */
export class AwsPeer {
  readonly snapshots = new Map<string, SnapshotFacts>();
  readonly instances = new Map<string, InstanceFacts>();
  readonly images = new Map<string, { name: string; snapshot: string }>();
  /** Every call, by its name. */
  readonly calls: string[] = [];
  /** Asked for each call. */
  fault: (action: string) => Fault = () => undefined;
  /** How long a new instance is missing from lists, and polls until a snapshot is complete. */
  hidden_ms = 0;
  pending_polls = 1;
  /** All calls are refused by this. */
  refuse: 'AuthFailure' | 'ExpiredToken' | 'UnauthorizedOperation' | undefined;
  /** Calls that our account may not make. */
  forbidden: readonly string[] = [];
  boot = true;
  readonly #closed = new AbortController();
  #server!: Server;
  #moto!: ChildProcess;
  #motoPort = 0;
  #subnet = '';
  #group = '';

  private constructor(
    readonly net: PeerNet | undefined,
    readonly dir: string,
  ) {}

  /** Without a network, instances are only told about. */
  static async open(net: PeerNet | undefined, dir: string): Promise<AwsPeer> {
    const made = new AwsPeer(net, dir);
    await made.#begin();
    return made;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }
  get subnet(): string {
    return this.#subnet;
  }
  get group(): string {
    return this.#group;
  }

  /** Instances that exist, as `id`. */
  living(): string[] {
    return [...this.instances].flatMap(([id, { machine }]) => (machine || !this.boot ? [id] : []));
  }

  /** The provider ends it, whatever we want. */
  async lose(id: string): Promise<void> {
    await this.#terminate([id]);
  }

  /** What moto has of a kind: ids. */
  async count(
    action: 'DescribeInstances' | 'DescribeImages' | 'DescribeSnapshots' | 'DescribeVolumes',
  ): Promise<string[]> {
    const owners =
      action === 'DescribeImages' ? '&Owner.1=self' : action === 'DescribeSnapshots' ? '&Owner.1=self' : '';
    const xml = await this.#moto2(`Action=${action}&Version=2016-11-15${owners}`);
    const pattern = {
      DescribeInstances:
        /<instanceId>(i-\w+)<\/instanceId>(?:(?!<instanceState>)[\s\S])*<instanceState>\s*<code>\d+<\/code>\s*<name>(\w+)/g,
      DescribeImages: /<imageId>(ami-\w+)/g,
      DescribeSnapshots: /<snapshotId>(snap-\w+)/g,
      DescribeVolumes: /<volumeId>(vol-\w+)/g,
    }[action];
    const found = [...xml.matchAll(pattern)].filter(
      (match) => match[2] !== 'terminated' && match[2] !== 'shutting-down',
    );
    return [...new Set(found.map((match) => match[1] ?? ''))];
  }

  /** A volume that nothing is attached to; gives its id. */
  async freeVolume(tags: Record<string, string>): Promise<string> {
    const words = Object.entries(tags).map(
      ([key, value], n) =>
        `&TagSpecification.1.Tag.${n + 1}.Key=${encodeURIComponent(key)}&TagSpecification.1.Tag.${n + 1}.Value=${encodeURIComponent(value)}`,
    );
    const order = 'Action=CreateVolume&Version=2016-11-15&Size=1&AvailabilityZone=us-east-1a';
    const answer = await this.#moto2(`${order}&TagSpecification.1.ResourceType=volume${words.join('')}`);
    return /<volumeId>(vol-\w+)/.exec(answer)?.[1] ?? '';
  }

  async deleteVolume(id: string): Promise<void> {
    await this.#moto2(`Action=DeleteVolume&Version=2016-11-15&VolumeId=${id}`);
  }

  /** All that is there, by id; snapshots that are being written as well. */
  async left(): Promise<string[]> {
    const kinds = ['DescribeInstances', 'DescribeImages', 'DescribeVolumes'] as const;
    const found = await Promise.all(kinds.map((kind) => this.count(kind)));
    return [...found.flat(), ...this.snapshots.keys()];
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await Promise.all([...this.instances.values()].map(async ({ machine }) => machine?.powerOff()));
    this.#server.closeAllConnections();
    this.#server.close();
    this.#moto.kill('SIGKILL');
    await rm(this.dir, { recursive: true, force: true });
  }

  async #begin(): Promise<void> {
    await execa('mkdir', ['-p', this.dir]);
    this.#motoPort = await freePort();
    this.#moto = spawn(peer('moto'), ['-H', '127.0.0.1', '-p', String(this.#motoPort)], {
      stdio: 'ignore',
      // Its own default machine images would be hundreds.
      env: { ...process.env, MOTO_EC2_LOAD_DEFAULT_AMIS: 'false', INITIAL_NO_AUTH_ACTION_COUNT: '1000000' },
    });
    for (let tries = 0; ; tries++) {
      const up = await fetch(`http://127.0.0.1:${String(this.#motoPort)}/moto-api/data.json`).catch(() => undefined);
      if (up?.ok) break;
      if (tries > 600) throw new Error('moto did not begin');
      await delay(100);
    }
    this.#subnet =
      /<subnetId>(subnet-\w+)/.exec(await this.#moto2('Action=DescribeSubnets&Version=2016-11-15'))?.[1] ?? '';
    this.#group =
      /<groupId>(sg-\w+)/.exec(await this.#moto2('Action=DescribeSecurityGroups&Version=2016-11-15'))?.[1] ?? '';
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((err: unknown) => {
        process.stderr.write(`aws peer: ${String(err)}\n`);
        response.destroy();
      });
    });
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  async #moto2(form: string): Promise<string> {
    const answer = await fetch(`http://127.0.0.1:${String(this.#motoPort)}/`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
        authorization:
          'AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=x',
      },
      body: form,
    });
    return answer.text();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const ebs = request.url?.startsWith('/snapshots') ?? false;
    const form = ebs ? new URLSearchParams() : new URLSearchParams(body.toString());
    const action = ebs ? ebsAction(request) : (form.get('Action') ?? '');
    this.calls.push(action);
    const fault = this.fault(action);
    if (typeof fault === 'object' && 'delay_ms' in fault) {
      // A late answer must not hold up the end of the tests.
      await delay(fault.delay_ms, undefined, { signal: this.#closed.signal, ref: false }).catch(() => undefined);
      if (this.#closed.signal.aborted) return void response.destroy();
    }
    const credential = /Credential=([^/]+)/.exec(request.headers.authorization ?? '')?.[1];
    const denied = this.forbidden.includes(action) ? 'UnauthorizedOperation' : undefined;
    const refusal = this.refuse ?? denied ?? (credential === ACCESS_KEY ? undefined : 'AuthFailure');
    if (refusal) {
      refuse(response, ebs, refusal, refusal === 'UnauthorizedOperation' ? 403 : 401);
      return;
    }
    if (typeof fault === 'object' && 'refuse' in fault) {
      refuse(response, ebs, fault.refuse, 400);
      return;
    }
    if (fault === 'throttle') {
      refuse(response, ebs, ebs ? 'ThrottlingException' : 'RequestLimitExceeded', ebs ? 400 : 503);
      return;
    }
    if (fault === 'error') {
      refuse(response, ebs, 'InternalError', 500);
      return;
    }
    const answer = ebs ? await this.#ebs(request, action, body) : await this.#ec2(request, action, form, body);
    if (fault === 'drop') {
      response.destroy();
      return;
    }
    response.writeHead(answer.status, answer.headers ?? { 'content-type': ebs ? 'application/json' : 'text/xml' });
    response.end(answer.body);
  }

  async #forward(request: IncomingMessage, body: Buffer | string): Promise<Answer> {
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(request.headers)) {
      if (typeof value === 'string' && !['host', 'content-length', 'connection', 'expect'].includes(name))
        headers[name] = value;
    }
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const url = `http://127.0.0.1:${String(this.#motoPort)}${request.url ?? '/'}`;
    const answer = await fetch(url, {
      method: request.method ?? 'POST',
      headers,
      ...(bytes.length > 0 ? { body: new Uint8Array(bytes) } : {}),
    });
    return { status: answer.status, body: await answer.text() };
  }

  async #ebs(request: IncomingMessage, action: string, body: Buffer): Promise<Answer> {
    const [, , id = '', , index = ''] = (request.url ?? '').split('?')[0]?.split('/') ?? [];
    if (action === 'StartSnapshot') return this.#startSnapshot(request, body);
    const snapshot = this.snapshots.get(
      action === 'CompleteSnapshot' ? (request.url?.split('/').at(-1)?.split('?')[0] ?? '') : id,
    );
    if (!snapshot)
      return { status: 404, body: '{"Message":"no such snapshot"}', headers: ebsError('ResourceNotFoundException') };
    if (action === 'PutSnapshotBlock') {
      const sum = createHash('sha256').update(body).digest('base64');
      if (body.length !== BLOCK || request.headers['x-amz-checksum'] !== sum) {
        return { status: 400, body: '{"Message":"checksum"}', headers: ebsError('ValidationException') };
      }
      const file = await open(snapshot.path, 'r+');
      await file.write(body, 0, body.length, Number(index) * BLOCK);
      await file.close();
      snapshot.blocks.add(Number(index));
      snapshot.bytes += body.length;
      return { status: 201, body: '', headers: { 'x-amz-checksum': sum, 'x-amz-checksum-algorithm': 'SHA256' } };
    }
    if (Number(request.headers['x-amz-changedblockscount']) !== snapshot.blocks.size) {
      return { status: 400, body: '{"Message":"ChangedBlocksCount"}', headers: ebsError('ValidationException') };
    }
    snapshot.pending = this.pending_polls;
    return this.#forward(request, body);
  }

  async #startSnapshot(request: IncomingMessage, body: Buffer): Promise<Answer> {
    const order = JSON.parse(body.toString()) as {
      ClientToken: string;
      VolumeSize: number;
      Tags?: { Key: string; Value: string }[];
    };
    const known = [...this.snapshots].find(([, { token }]) => token === order.ClientToken);
    if (known) {
      return {
        status: 201,
        body: JSON.stringify({
          SnapshotId: known[0],
          BlockSize: BLOCK,
          Status: 'pending',
          VolumeSize: order.VolumeSize,
        }),
      };
    }
    const answer = await this.#forward(request, body);
    const made = JSON.parse(answer.body) as { SnapshotId: string };
    const path = join(this.dir, `${made.SnapshotId}.raw`);
    const file = await open(path, 'w');
    await file.truncate(order.VolumeSize * 2 ** 30);
    await file.close();
    this.snapshots.set(made.SnapshotId, {
      token: order.ClientToken,
      path,
      blocks: new Set(),
      bytes: 0,
      pending: Infinity,
    });
    const tags = (order.Tags ?? []).map(
      (tag, n) =>
        `&Tag.${String(n + 1)}.Key=${encodeURIComponent(tag.Key)}&Tag.${String(n + 1)}.Value=${encodeURIComponent(tag.Value)}`,
    );
    await this.#moto2(`Action=CreateTags&Version=2016-11-15&ResourceId.1=${made.SnapshotId}${tags.join('')}`);
    // moto makes a volume to take the snapshot of, which EBS does not.
    const told = await this.#moto2(`Action=DescribeSnapshots&Version=2016-11-15&SnapshotId.1=${made.SnapshotId}`);
    const volume = /<volumeId>(vol-\w+)/.exec(told)?.[1] ?? '';
    await this.deleteVolume(volume);
    return { status: 201, body: JSON.stringify({ ...made, BlockSize: BLOCK }) };
  }

  async #ec2(request: IncomingMessage, action: string, form: URLSearchParams, body: Buffer): Promise<Answer> {
    const [first = ''] = [...form].flatMap(([name, value]) =>
      /^(InstanceId|ImageId|SnapshotId)(\.1)?$/.test(name) ? [value] : [],
    );
    if (form.get('DryRun') === 'true') return xmlError('DryRunOperation', 412);
    if (action === 'RunInstances') return this.#run(request, form, body);
    if (action === 'GetConsoleOutput') return this.#console(first);
    if (action === 'RegisterImage') return this.#register(request, form, body);
    if (action === 'DeleteSnapshot') {
      const used = [...this.images.values()].some(({ snapshot }) => snapshot === first);
      if (used) return xmlError('InvalidSnapshot.InUse', 400);
      const snapshot = this.snapshots.get(first);
      if (snapshot) await rm(snapshot.path, { force: true });
      this.snapshots.delete(first);
    }
    if (action === 'DeregisterImage') this.images.delete(first);
    if (action === 'TerminateInstances') {
      const ids = [...form].flatMap(([name, value]) => (name.startsWith('InstanceId.') ? [value] : []));
      const machines = ids.flatMap((id) => this.instances.get(id)?.machine ?? []);
      const answer = await this.#forward(request, body);
      await Promise.all(machines.map((machine) => machine.powerOff()));
      return answer;
    }
    const answer = await this.#forward(request, body);
    if (action === 'DescribeInstances') return { ...answer, body: this.#asTheyAre(answer.body) };
    if (action === 'DescribeSnapshots') return { ...answer, body: this.#stillPending(answer.body) };
    return answer;
  }

  async #register(request: IncomingMessage, form: URLSearchParams, body: Buffer): Promise<Answer> {
    const name = form.get('Name') ?? '';
    if ([...this.images.values()].some((image) => image.name === name))
      return xmlError('InvalidAMIName.Duplicate', 400);
    const snapshot = form.get('BlockDeviceMapping.1.Ebs.SnapshotId') ?? '';
    if ((this.snapshots.get(snapshot)?.pending ?? 1) > 0) return xmlError('InvalidParameterValue', 400);
    const answer = await this.#forward(request, body);
    const id = /<imageId>(ami-\w+)/.exec(answer.body)?.[1] ?? '';
    this.images.set(id, { name, snapshot });
    const tags = [...form].flatMap(([key, value]) => {
      const match = /^TagSpecification\.1\.Tag\.(\d+)\.(Key|Value)$/.exec(key);
      return match ? [`&Tag.${match[1] ?? ''}.${match[2] ?? ''}=${encodeURIComponent(value)}`] : [];
    });
    await this.#moto2(`Action=CreateTags&Version=2016-11-15&ResourceId.1=${id}${tags.join('')}`);
    return answer;
  }

  async #run(request: IncomingMessage, form: URLSearchParams, body: Buffer): Promise<Answer> {
    const token = form.get('ClientToken') ?? '';
    const known = [...this.instances].find(([, instance]) => instance.token === token);
    if (known) {
      const answer = await this.#moto2(`Action=DescribeInstances&Version=2016-11-15&InstanceId.1=${known[0]}`);
      const item = /<reservationSet>\s*<item>([\s\S]*)<\/item>\s*<\/reservationSet>/.exec(answer)?.[1] ?? '';
      return {
        status: 200,
        body: this.#asTheyAre(
          `<RunInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">${item}</RunInstancesResponse>`,
          true,
        ),
      };
    }
    const answer = await this.#forward(request, body);
    const id = /<instanceId>(i-\w+)/.exec(answer.body)?.[1];
    const image = this.images.get(form.get('ImageId') ?? '');
    if (id === undefined || !image) return answer;
    const facts: InstanceFacts = {
      token,
      born: Date.now(),
      ip: this.net?.address() ?? '127.0.0.1',
      serialFile: join(this.dir, `${id}.serial`),
    };
    this.instances.set(id, facts);
    if (this.boot && this.net) {
      await this.net.setUserData(facts.ip, Buffer.from(form.get('UserData') ?? '', 'base64'));
      facts.machine = await this.net.boot({
        ...{
          disk: this.snapshots.get(image.snapshot)?.path ?? '',
          format: 'raw',
          controller: 'nvme',
          nic: 'virtio-net-pci',
        },
        ...{ ram_mb: 512, ip: facts.ip, serialFile: facts.serialFile },
      });
      void facts.machine.ended.then(async () => {
        delete facts.machine;
        // InstanceInitiatedShutdownBehavior: terminate.
        await this.#terminate([id]).catch(() => undefined);
      });
    }
    return { ...answer, body: this.#asTheyAre(answer.body, true) };
  }

  async #terminate(ids: string[]): Promise<void> {
    await this.#moto2(
      `Action=TerminateInstances&Version=2016-11-15${ids.map((id, n) => `&InstanceId.${String(n + 1)}=${id}`).join('')}`,
    );
    await Promise.all(ids.map(async (id) => this.instances.get(id)?.machine?.powerOff()));
  }

  async #console(id: string): Promise<Answer> {
    const instance = this.instances.get(id);
    if (!instance) return xmlError('InvalidInstanceID.NotFound', 400);
    const all = await readFile(instance.serialFile).catch(() => Buffer.alloc(0));
    const output = all.subarray(Math.max(0, all.length - 65_536)).toString('base64');
    return {
      status: 200,
      body: `<GetConsoleOutputResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>x</requestId><instanceId>${id}</instanceId><timestamp>2026-01-01T00:00:00.000Z</timestamp><output>${output}</output></GetConsoleOutputResponse>`,
    };
  }

  /** With the addresses the machines really have, and without those that are too young to be told of. */
  #asTheyAre(xml: string, fresh = false): string {
    const [head = '', ...items] = xml.split(/(?=<item><reservationId>)/);
    const [, tail = ''] = /(<\/reservationSet>[\s\S]*)$/.exec(xml) ?? [];
    const shown = items.map((item) => item.replace(tail, '')).filter((item) => fresh || !this.#isYoung(item));
    const all = items.length === 0 ? xml : `${head}${shown.join('')}${tail}`;
    // An interface of its own has the same address before the instance is named.
    return all.replace(
      /<instanceId>(i-\w+)<\/instanceId>(?:(?!<instanceId>)[\s\S])*?<privateIpAddress>[^<]*/g,
      (text, id: string) => {
        const ip = this.instances.get(id)?.ip;
        return ip === undefined ? text : text.replace(/<privateIpAddress>[^<]*$/, `<privateIpAddress>${ip}`);
      },
    );
  }

  #isYoung(item: string): boolean {
    const born = this.instances.get(/<instanceId>(i-\w+)</.exec(item)?.[1] ?? '')?.born ?? 0;
    return Date.now() - born < this.hidden_ms;
  }

  #stillPending(xml: string): string {
    return xml.replace(/<snapshotId>(snap-\w+)<\/snapshotId>[\s\S]*?<status>\w+<\/status>/g, (text, id: string) => {
      const snapshot = this.snapshots.get(id);
      if (!snapshot || snapshot.pending <= 0) return text;
      snapshot.pending--;
      return text.replace(/<status>\w+</, '<status>pending<');
    });
  }
}

interface Answer {
  status: number;
  body: string;
  headers?: Record<string, string>;
}

const BLOCK = 524_288;

function ebsAction({ method, url = '' }: IncomingMessage): string {
  if (method === 'POST') return url.includes('/completion/') ? 'CompleteSnapshot' : 'StartSnapshot';
  return method === 'PUT' ? 'PutSnapshotBlock' : 'ListSnapshotBlocks';
}

const ebsError = (name: string): Record<string, string> => ({
  'content-type': 'application/json',
  'x-amzn-errortype': name,
});

function xmlError(code: string, status: number): Answer {
  return {
    status,
    body: `<?xml version="1.0"?><Response><Errors><Error><Code>${code}</Code><Message>${code} for a test</Message></Error></Errors><RequestID>x</RequestID></Response>`,
  };
}

function refuse(response: ServerResponse, ebs: boolean, code: string, status: number): void {
  if (ebs) response.writeHead(status, ebsError(code)).end(JSON.stringify({ message: `${code} for a test` }));
  else response.writeHead(status, { 'content-type': 'text/xml' }).end(xmlError(code, status).body);
}

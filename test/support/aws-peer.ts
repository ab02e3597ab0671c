import { mkdir, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { refuse, xmlError, type Answer } from './aws/answers.js';
import { Ebs, ebsAction } from './aws/ebs.js';
import { Moto, tagWords } from './aws/moto.js';
import type { BootedDisk, PeerNet } from './peer-net.js';

export const ACCESS_KEY = 'AKIAPLANTEDKEYNAME00';
export const SECRET_KEY = 'planted-secret-access-key-of-a-test-4711';
export const SUBNET = 'subnet-of-the-account';

/** What one call meets: `drop` carries it out and loses the answer. */
export type Fault = 'throttle' | 'error' | 'drop' | { delay_ms: number } | { refuse: string } | undefined;

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
  readonly instances = new Map<string, InstanceFacts>();
  readonly images = new Map<string, { name: string; snapshot: string }>();
  /** Every call, by its name. */
  readonly calls: string[] = [];
  /** Asked for each call. */
  fault: (action: string) => Fault = () => undefined;
  /** How long a new instance is missing from lists. */
  hidden_ms = 0;
  /** All calls are refused by this. */
  refuse: 'AuthFailure' | 'ExpiredToken' | 'UnauthorizedOperation' | undefined;
  /** Calls that our account may not make. */
  forbidden: readonly string[] = [];
  boot = true;
  readonly #closed = new AbortController();
  #server!: Server;
  #subnet = '';
  #group = '';

  readonly #ebs: Ebs;

  private constructor(
    readonly net: PeerNet | undefined,
    readonly dir: string,
    private readonly moto: Moto,
  ) {
    this.#ebs = new Ebs(moto, dir);
  }

  /** Without a network, instances are only told about. */
  static async open(net: PeerNet | undefined, dir: string): Promise<AwsPeer> {
    await mkdir(dir, { recursive: true });
    const made = new AwsPeer(net, dir, await Moto.start());
    await made.#begin();
    return made;
  }

  get snapshots(): Ebs['snapshots'] {
    return this.#ebs.snapshots;
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
  count(action: Parameters<Moto['count']>[0]): Promise<string[]> {
    return this.moto.count(action);
  }

  /** A volume that nothing is attached to; gives its id. */
  async freeVolume(tags: Record<string, string>): Promise<string> {
    const answer = await this.moto.ask('CreateVolume', {
      ...{ Size: '1', AvailabilityZone: 'us-east-1a', 'TagSpecification.1.ResourceType': 'volume' },
      ...tagWords(
        'TagSpecification.1.Tag',
        Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
      ),
    });
    return /<volumeId>(vol-\w+)/.exec(answer)?.[1] ?? '';
  }

  async deleteVolume(id: string): Promise<void> {
    await this.moto.ask('DeleteVolume', { VolumeId: id });
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
    this.moto.stop();
    await rm(this.dir, { recursive: true, force: true });
  }

  async #begin(): Promise<void> {
    this.#subnet = /<subnetId>(subnet-\w+)/.exec(await this.moto.ask('DescribeSubnets'))?.[1] ?? '';
    this.#group = /<groupId>(sg-\w+)/.exec(await this.moto.ask('DescribeSecurityGroups'))?.[1] ?? '';
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((err: unknown) => {
        process.stderr.write(`aws peer: ${String(err)}\n`);
        response.destroy();
      });
    });
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
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
    const answer = ebs ? await this.#ebs.answer(request, action, body) : await this.#ec2(request, action, form, body);
    if (fault === 'drop') {
      response.destroy();
      return;
    }
    response.writeHead(answer.status, answer.headers ?? { 'content-type': ebs ? 'application/json' : 'text/xml' });
    response.end(answer.body);
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
      await this.#ebs.remove(first);
    }
    if (action === 'DeregisterImage') this.images.delete(first);
    if (action === 'TerminateInstances') {
      const ids = [...form].flatMap(([name, value]) => (name.startsWith('InstanceId.') ? [value] : []));
      const machines = ids.flatMap((id) => this.instances.get(id)?.machine ?? []);
      const answer = await this.moto.forward(request, body);
      await Promise.all(machines.map((machine) => machine.powerOff()));
      return answer;
    }
    const answer = await this.moto.forward(request, body);
    if (action === 'DescribeInstances') return { ...answer, body: this.#asTheyAre(answer.body) };
    if (action === 'DescribeSnapshots') return { ...answer, body: this.#ebs.stillPending(answer.body) };
    return answer;
  }

  async #register(request: IncomingMessage, form: URLSearchParams, body: Buffer): Promise<Answer> {
    const name = form.get('Name') ?? '';
    if ([...this.images.values()].some((image) => image.name === name))
      return xmlError('InvalidAMIName.Duplicate', 400);
    const snapshot = form.get('BlockDeviceMapping.1.Ebs.SnapshotId') ?? '';
    if ((this.snapshots.get(snapshot)?.pending ?? 1) > 0) return xmlError('InvalidParameterValue', 400);
    const answer = await this.moto.forward(request, body);
    const id = /<imageId>(ami-\w+)/.exec(answer.body)?.[1] ?? '';
    this.images.set(id, { name, snapshot });
    const tags = [...form].flatMap(([key, value]) => {
      const n = /^TagSpecification\.1\.Tag\.(\d+)\.Key$/.exec(key)?.[1];
      return n === undefined ? [] : [{ Key: value, Value: form.get(`TagSpecification.1.Tag.${n}.Value`) ?? '' }];
    });
    await this.moto.tag(id, tags);
    return answer;
  }

  async #run(request: IncomingMessage, form: URLSearchParams, body: Buffer): Promise<Answer> {
    const token = form.get('ClientToken') ?? '';
    const known = [...this.instances].find(([, instance]) => instance.token === token);
    if (known) {
      const answer = await this.moto.ask('DescribeInstances', { 'InstanceId.1': known[0] });
      const item = /<reservationSet>\s*<item>([\s\S]*)<\/item>\s*<\/reservationSet>/.exec(answer)?.[1] ?? '';
      return {
        status: 200,
        body: this.#asTheyAre(
          `<RunInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">${item}</RunInstancesResponse>`,
          true,
        ),
      };
    }
    const answer = await this.moto.forward(request, body);
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
    const words = Object.fromEntries(ids.map((id, n) => [`InstanceId.${String(n + 1)}`, id]));
    await this.moto.ask('TerminateInstances', words);
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
}

import { spawn, type ChildProcess } from 'node:child_process';
import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../free-port.js';
import { peer } from '../peers.js';
import type { Answer } from './answers.js';

export interface Tag {
  Key: string;
  Value: string;
}

/** The real moto, which keeps EC2's books. */
export class Moto {
  private constructor(
    private readonly child: ChildProcess,
    private readonly port: number,
  ) {}

  static async start(): Promise<Moto> {
    const port = await freePort();
    const child = spawn(peer('moto'), ['-H', '127.0.0.1', '-p', String(port)], {
      stdio: 'ignore',
      // Its own default machine images would be hundreds.
      env: { ...process.env, MOTO_EC2_LOAD_DEFAULT_AMIS: 'false', INITIAL_NO_AUTH_ACTION_COUNT: '1000000' },
    });
    for (let tries = 0; ; tries++) {
      const up = await fetch(`http://127.0.0.1:${String(port)}/moto-api/data.json`).catch(() => undefined);
      if (up?.ok) return new Moto(child, port);
      if (tries > 600) throw new Error('moto did not begin');
      await delay(100);
    }
  }

  stop(): void {
    this.child.kill('SIGKILL');
  }

  /** One of EC2's calls, by its form. */
  async ask(action: string, words: Record<string, string> = {}): Promise<string> {
    const answer = await fetch(`http://127.0.0.1:${String(this.port)}/`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
        authorization:
          'AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=x',
      },
      body: new URLSearchParams({ Action: action, Version: '2016-11-15', ...words }).toString(),
    });
    return answer.text();
  }

  async forward(request: IncomingMessage, body: Buffer): Promise<Answer> {
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(request.headers)) {
      if (typeof value === 'string' && !['host', 'content-length', 'connection', 'expect'].includes(name))
        headers[name] = value;
    }
    const answer = await fetch(`http://127.0.0.1:${String(this.port)}${request.url ?? '/'}`, {
      method: request.method ?? 'POST',
      headers,
      ...(body.length > 0 ? { body: new Uint8Array(body) } : {}),
    });
    return { status: answer.status, body: await answer.text() };
  }

  async tag(id: string, tags: readonly Tag[]): Promise<void> {
    await this.ask('CreateTags', { 'ResourceId.1': id, ...tagWords('Tag', tags) });
  }

  /** What it has of a kind: ids. */
  async count(
    action: 'DescribeInstances' | 'DescribeImages' | 'DescribeSnapshots' | 'DescribeVolumes',
  ): Promise<string[]> {
    const own = action === 'DescribeImages' || action === 'DescribeSnapshots';
    const xml = await this.ask(action, own ? { 'Owner.1': 'self' } : {});
    const pattern = {
      DescribeInstances:
        /<instanceId>(i-\w+)<\/instanceId>(?:(?!<instanceState>)[\s\S])*<instanceState>\s*<code>\d+<\/code>\s*<name>(\w+)/g,
      DescribeImages: /<imageId>(ami-\w+)/g,
      DescribeSnapshots: /<snapshotId>(snap-\w+)/g,
      DescribeVolumes: /<volumeId>(vol-\w+)/g,
    }[action];
    const found = [...xml.matchAll(pattern)].filter(
      ([, , state]) => state !== 'terminated' && state !== 'shutting-down',
    );
    return [...new Set(found.map((match) => match[1] ?? ''))];
  }
}

/** `PREFIX.1.Key=...&PREFIX.1.Value=...` */
export function tagWords(prefix: string, tags: readonly Tag[]): Record<string, string> {
  return Object.fromEntries(
    tags.flatMap(({ Key, Value }, n) => [
      [`${prefix}.${String(n + 1)}.Key`, Key],
      [`${prefix}.${String(n + 1)}.Value`, Value],
    ]),
  );
}

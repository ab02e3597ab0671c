import { readFile } from 'node:fs/promises';
import { run } from '../../../../core/process.js';
import type { NetworkContext } from './network.js';
import { hostElements, hostResolver, hostTable, type HostElements } from './rules.js';

/** The nftables table of this home on the host: made with its first machine, gone with its last. */
export class HostTable {
  readonly #name: string;
  /** Writers take turns: two that both see no table would both make it. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly context: Pick<NetworkContext, 'tag' | 'subnets' | 'log'>) {
    this.#name = `unik_${context.tag}`;
  }

  add(elements: HostElements): Promise<void> {
    return this.#inTurn(async () => {
      const resolver = await firstResolver();
      const script =
        (resolver === undefined ? '' : hostResolver(this.#name, resolver)) + hostElements(this.#name, 'add', elements);
      try {
        await nft(script);
      } catch (err) {
        if (await this.#exists()) throw err;
        await nft(hostTable(this.#name, this.context.subnets.guest) + script);
      }
    });
  }

  remove(elements: HostElements): Promise<void> {
    return this.#inTurn(async () => {
      try {
        await nft(hostElements(this.#name, 'delete', elements));
      } catch (err) {
        if (await this.#exists()) throw err;
        return;
      }
      const { stdout } = await run('nft', ['list', 'set', 'ip', this.#name, 'links']);
      if (!stdout.includes('elements')) await nft(`delete table ip ${this.#name}\n`);
    });
  }

  async #exists(): Promise<boolean> {
    const { stdout } = await run('nft', ['list', 'tables', 'ip'], { code: 'network_unavailable' });
    return stdout.split('\n').includes(`table ip ${this.#name}`);
  }

  #inTurn(job: () => Promise<void>): Promise<void> {
    const result = this.#turn.then(job);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

async function nft(script: string): Promise<void> {
  await run('nft', ['-f', '-'], { input: script, code: 'network_unavailable' });
}

/** The host's first IPv4 name server; it may well be on the host's loopback. */
async function firstResolver(): Promise<string | undefined> {
  const text = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  return /^\s*nameserver\s+(\d+\.\d+\.\d+\.\d+)\s*$/m.exec(text)?.[1];
}

import { execa } from 'execa';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readlink } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

/** A network of a test's own: `br0` in a network namespace, with a link to this host, which is `SUBNET.1` there. */
export class BridgedNet {
  /** Holds the namespace: one that has a name can lose it to others. */
  readonly #holder: ChildProcess = spawn('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' });

  private constructor(
    /** The interface of this host. */
    readonly link: string,
    /** The first three numbers of its addresses. */
    readonly subnet: string,
  ) {}

  /** `network`: two numbers, such as `10.99`, of which it takes a free part. */
  static async open({ name, network }: { name: string; network: string }): Promise<BridgedNet> {
    const id = randomBytes(4).toString('hex');
    const net = new BridgedNet(`${name}-${id}`.slice(0, 14), freeSubnet(network, parseInt(id.slice(0, 2), 16)));
    try {
      await net.#begin();
      return net;
    } catch (err) {
      await net.close();
      throw err;
    }
  }

  /** Arguments of nsenter: what runs behind them is in this network. */
  get enter(): string[] {
    return ['-t', String(this.#holder.pid), '-n'];
  }

  /** Lines for `ip` in there. */
  async ip(lines: readonly string[]): Promise<void> {
    await execa('nsenter', [...this.enter, 'ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
  }

  async close(): Promise<void> {
    await execa('ip', ['link', 'del', this.link]).catch(() => undefined);
    this.#holder.kill('SIGKILL');
  }

  async #begin(): Promise<void> {
    const pid = String(this.#holder.pid);
    const own = await readlink('/proc/self/ns/net');
    for (let tries = 0; (await readlink(`/proc/${pid}/ns/net`)) === own; tries++) {
      if (tries > 200) throw new Error('no network namespace: unshare --net failed');
      await delay(20);
    }
    const here = [
      `link add ${this.link} type veth peer name uplink netns ${pid}`,
      `addr add ${this.subnet}.1/24 dev ${this.link}`,
      `link set ${this.link} up`,
    ];
    await execa('ip', ['-batch', '-'], { input: `${here.join('\n')}\n` });
    await this.ip(['link set lo up', 'link add br0 type bridge', 'link set uplink master br0 up', 'link set br0 up']);
  }
}

/** The first three numbers of a network that this host has no address in. */
function freeSubnet(network: string, from: number): string {
  const addresses = Object.values(networkInterfaces()).flatMap((of = []) => of.map(({ address }) => address));
  for (let n = 0; n < 256; n++) {
    const subnet = `${network}.${String((from + n) % 256)}`;
    if (!addresses.some((address) => address.startsWith(`${subnet}.`))) return subnet;
  }
  throw new Error(`no network of ${network}.0.0/16 is free`);
}

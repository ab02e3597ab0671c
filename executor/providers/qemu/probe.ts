import { access, constants, mkdir } from 'node:fs/promises';
import { messageOf } from '../../../core/errors.js';
import { run } from '../../../core/process.js';
import type { Finding, NetworkChoice, Probe } from '../provider.js';
import { chooseAccelerator, type AcceleratorChoice } from './accel.js';

export interface HostProbeOptions {
  home: string;
  path: string;
  root: boolean;
  program: string;
  /** Default /dev/net/tun. */
  tun?: string;
}

/** What this host offers to machines. Each question is put to the host once, and again by `probe`. */
export class HostProbe {
  #accelerator: Promise<AcceleratorChoice> | undefined;
  #version: Promise<string> | undefined;
  #modes: Promise<Record<'tap' | 'user', string | undefined>> | undefined;

  constructor(private readonly options: HostProbeOptions) {}

  accelerator(signal: AbortSignal): Promise<AcceleratorChoice> {
    this.#accelerator ??= this.#chooseAccelerator(signal).catch((err: unknown) => {
      this.#accelerator = undefined;
      throw err;
    });
    return this.#accelerator;
  }

  async chooseNetwork(): Promise<NetworkChoice> {
    const { tap, user } = await this.#networkModes();
    if (this.options.root && tap === undefined) return { mode: 'tap' };
    if (user === undefined) {
      const finding = { name: 'network', status: 'warning' as const, detail: `no tap network: ${tap ?? ''}` };
      return { mode: 'user', ...(this.options.root ? { finding } : {}) };
    }
    return {
      mode: 'isolated',
      finding: {
        name: 'network',
        status: 'warning',
        detail: `machines have their published ports and no way out: ${user}`,
        fix: fixFor(user),
      },
    };
  }

  async probe(signal: AbortSignal): Promise<Probe> {
    const findings: Finding[] = [];
    // What was missing may have been installed meanwhile.
    this.#modes = undefined;
    let version: string;
    try {
      version = await this.#qemuVersion();
      findings.push({ name: 'qemu', status: 'ok', detail: version });
    } catch (err) {
      const fix = aptInstall('qemu-system-x86');
      findings.push({ name: 'qemu', status: 'error', detail: `${this.options.program}: ${messageOf(err)}`, fix });
      return { healthy: false, summary: `${this.options.program} cannot be run`, findings };
    }
    const choice = await this.accelerator(signal);
    findings.push(kvmFinding(choice));
    findings.push({ name: 'accelerator', status: 'ok', detail: `${choice.accelerator}: ${choice.reason}` });
    findings.push(...(await this.#networkFindings()));
    const { mode } = await this.chooseNetwork();
    const summary = `${version}, ${choice.accelerator}, network ${mode}`;
    return { healthy: true, summary, findings, accelerator: choice.accelerator };
  }

  async #networkFindings(): Promise<Finding[]> {
    const modes = await this.#networkModes();
    const best = await this.chooseNetwork();
    const finding = (mode: 'tap' | 'user', reason: string | undefined): Finding =>
      reason === undefined
        ? { name: `network ${mode}`, status: 'ok', detail: 'available' }
        : {
            name: `network ${mode}`,
            // Only what takes something from the user is worth a warning.
            status: best.mode === 'isolated' && mode === 'user' ? 'warning' : 'ok',
            detail: `not available: ${reason}`,
            ...(this.options.root || mode === 'user' ? { fix: fixFor(reason) } : {}),
          };
    return [
      finding('tap', modes.tap),
      finding('user', modes.user),
      best.finding ?? { name: 'network', status: 'ok', detail: `machines use ${best.mode}` },
    ];
  }

  #networkModes(): Promise<Record<'tap' | 'user', string | undefined>> {
    this.#modes ??= Promise.all([this.#tapProblem(), this.#userProblem()]).then(([tap, user]) => ({ tap, user }));
    return this.#modes;
  }

  async #tapProblem(): Promise<string | undefined> {
    if (!this.options.root) return 'it needs root';
    return (await this.#tunProblem()) ?? this.#namespaceProblem();
  }

  async #userProblem(): Promise<string | undefined> {
    const problem = (await this.#tunProblem()) ?? (await this.#namespaceProblem());
    return problem ?? failure('slirp4netns', ['--version'], this.options.path);
  }

  async #tunProblem(): Promise<string | undefined> {
    const device = this.options.tun ?? '/dev/net/tun';
    try {
      await access(device, constants.R_OK | constants.W_OK);
      return undefined;
    } catch (err) {
      return messageOf(err).includes('ENOENT')
        ? `${device} does not exist`
        : `${device} may not be opened by this user`;
    }
  }

  /** Makes what a machine needs, in a namespace that is gone when the command ends. */
  #namespaceProblem(): Promise<string | undefined> {
    const script = `
      set -e
      ip tuntap add dev tap0 mode tap
      nft 'table inet unik { chain c { type nat hook postrouting priority 100; oifname up0 masquerade; }; }'
      echo 1 >/proc/sys/net/ipv4/ip_forward`;
    const flags = this.options.root ? ['--mount', '--net'] : ['--user', '--map-root-user', '--net'];
    return failure('unshare', [...flags, 'sh', '-c', script], this.options.path);
  }

  async #chooseAccelerator(signal: AbortSignal): Promise<AcceleratorChoice> {
    const { home, path, program } = this.options;
    await mkdir(home, { recursive: true, mode: 0o700 });
    return chooseAccelerator({ home, path, program, version: await this.#qemuVersion() }, signal);
  }

  #qemuVersion(): Promise<string> {
    this.#version ??= run(this.options.program, ['--version'], {
      env: { PATH: this.options.path },
      code: 'provider_unavailable',
    }).then(
      ({ stdout }) => stdout.split('\n')[0] ?? '',
      (err: unknown) => {
        this.#version = undefined;
        throw err;
      },
    );
    return this.#version;
  }
}

function kvmFinding({ kvm, reason }: AcceleratorChoice): Finding {
  switch (kvm) {
    case 'works':
      return { name: 'kvm', status: 'ok', detail: reason };
    case 'absent':
      return { name: 'kvm', status: 'ok', detail: `${reason}: machines are emulated, about ten times slower` };
    case 'denied':
      return { name: 'kvm', status: 'warning', detail: reason, fix: 'sudo usermod -aG kvm "$USER", then log in again' };
    case 'broken':
      return {
        name: 'kvm',
        status: 'warning',
        detail: `broken: ${reason}`,
        fix: 'turn on nested virtualization for this host, or use it as it is: machines are emulated',
      };
  }
}

/** Undefined when the command works, else why not. */
async function failure(file: string, args: string[], path: string): Promise<string | undefined> {
  try {
    await run(file, args, { env: { PATH: path, LC_ALL: 'C' }, timeout_ms: 5_000 });
    return undefined;
  } catch (err) {
    return messageOf(err).split('\n').join(': ');
  }
}

/** The command that mends the reason, as far as it can be told from its words. */
export function fixFor(reason: string): string {
  if (reason.includes('tun')) {
    return reason.includes('does not exist') ? 'sudo modprobe tun' : 'sudo chmod 666 /dev/net/tun';
  }
  if (reason.includes('slirp4netns')) return aptInstall('slirp4netns');
  if (/nft|ip: not found|ip:.*not found/.test(reason)) return aptInstall('nftables iproute2');
  if (/unshare.*not permitted/i.test(reason)) return 'sudo sysctl -w kernel.unprivileged_userns_clone=1';
  return 'unik doctor --json shows the whole message';
}

function aptInstall(packages: string): string {
  return `sudo apt-get install -y ${packages}`;
}

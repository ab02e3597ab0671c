import { access, constants } from 'node:fs/promises';
import type { Clock } from '../../../core/clock.js';
import { UnikError } from '../../../core/errors.js';
import { isAlive, isOnPath, type ProcessIdentity } from '../../../core/process.js';
import type { Tender } from '../../guests/guest.js';
import { signOf, type EndFacts } from '../../guests/linux/control.js';
import type { Arch, NetworkMode } from '../../model.js';
import type { MachineExit } from '../provider.js';
import { FILES, GUEST_MAC, type NetDevice } from './args.js';
import type { Running } from './running.js';

/** Of this host. */
const HOST_ARCH: Arch = 'x86_64';
const INSTEAD = 'or build the program for the target virtio';

/** Gives what accelerates it. Throws guest_unsupported where this host lacks what it needs. */
export async function checkTender(
  tender: Tender,
  host: { arch: Arch; path: string; mode: NetworkMode; kvm?: string },
): Promise<'kvm' | 'none'> {
  const why = await problem(tender, host);
  if (why !== undefined) throw new UnikError('guest_unsupported', `an image for ${tender.name} ${why}`);
  return tender.name === 'solo5-hvt' ? 'kvm' : 'none';
}

async function problem(
  { name, networks }: Tender,
  { arch, path, mode, kvm = '/dev/kvm' }: Parameters<typeof checkTender>[1],
): Promise<string | undefined> {
  if (arch !== HOST_ARCH) return `is for hosts that are ${arch}`;
  if (!isOnPath(name, path)) {
    return `needs that program, which comes with Solo5: put it on the PATH of unik, ${INSTEAD}`;
  }
  if (name === 'solo5-hvt' && !(await opens(kvm)))
    return `needs ${kvm}, which cannot be opened here: load KVM, ${INSTEAD}`;
  if (networks.length > 0 && (mode === 'isolated' || mode === 'none')) {
    return `has a network, and network ${mode} has no tap for it: start it with network user or tap, ${INSTEAD}`;
  }
  return undefined;
}

function opens(path: string): Promise<boolean> {
  return access(path, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}

export interface TenderInput {
  ram_mb: number;
  net: NetDevice;
  /** Everybody on the host can read it. */
  cmdline: string;
}

/** A tender's arguments. It joins what follows the kernel's name by blanks again. Source: Solo5, tenders (0.12). Pure. */
export function tenderArgs({ networks }: Tender, { ram_mb, net, cmdline }: TenderInput): string[] {
  const { ifname, mac = GUEST_MAC } = net.kind === 'tap' ? net : {};
  return [
    `--mem=${ram_mb}`,
    ...(ifname === undefined
      ? []
      : networks.flatMap((name) => [`--net:${name}=${ifname}`, `--net-mac:${name}=${mac}`])),
    ...['--', FILES.kernel],
    ...(cmdline === '' ? [] : [cmdline]),
  ];
}

/** How soon an end is seen that no process of ours is told of. */
const LOOK_MS = { first: 5, last: 200 };

/** A running tender: a process, and nothing that could be asked. */
export class TenderProcess implements Running {
  readonly up = Promise.resolve();
  readonly ended: Promise<void>;

  constructor(
    private readonly who: ProcessIdentity,
    private readonly clock: Clock,
    private readonly signal: AbortSignal,
  ) {
    this.ended = this.#watch();
  }

  pressPower(): Promise<void> {
    return Promise.reject(new UnikError('not_supported', 'a tender has no power button'));
  }

  giveCommandLine(): Promise<void> {
    return Promise.reject(new UnikError('not_supported', 'a tender has its command line from the start'));
  }

  exitOf(facts: EndFacts): MachineExit {
    return tenderExitOf(facts);
  }

  async #watch(): Promise<void> {
    for (let pause_ms = LOOK_MS.first; await isAlive(this.who); pause_ms = Math.min(pause_ms * 1.2, LOOK_MS.last)) {
      await this.clock.sleep(pause_ms, this.signal);
    }
  }
}

/** What a tender, or what starts it, says on standard error, where the program in it cannot write. */
const OWN_WORDS = /^(?:solo5-\w+|setpriv|sh|ip): (?!WARNING)(.*)$/m;

/** Its status is the application's. Pure. */
export function tenderExitOf({ status, signal, serialTail, signs = [], log }: EndFacts): MachineExit {
  const sign = signOf(serialTail, signs)?.exit;
  // After an abort the tender ends with a status too. Of one that said it was well, an application wrote the line.
  if (sign && status !== 0 && sign.reason !== 'exited') return sign;
  const words = OWN_WORDS.exec(log)?.[1];
  if (status !== undefined && status !== 0 && words !== undefined) {
    return { reason: serialTail === '' ? 'boot_failed' : 'kernel_panic', code: status, message: words };
  }
  if (status !== undefined) {
    return { reason: 'exited', code: status, message: `the application ended with status ${status}` };
  }
  if (signal !== undefined && signal !== 'SIGKILL') {
    return { reason: 'kernel_panic', signal, message: `the application was ended by ${signal}` };
  }
  return sign ?? { reason: 'killed', message: "the machine's process ended" };
}

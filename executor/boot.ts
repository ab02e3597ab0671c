import { UnikError } from '../core/errors.js';
import type { ImageSource, KernelSource } from './executor.js';
import type { Guest } from './guests/guest.js';
import type { Image } from './images/image.js';
import { makeInstanceConfig, variablesIn } from './instance-config.js';
import type { KernelEntry, KernelLimits } from './kernels/kernel.js';
import { guestRamMb } from './kernels/ram.js';
import type { Charge, GuestName, InstanceSpec, ProviderName } from './model.js';
import { checkPairing } from './providers/pairings.js';
import type { MachineSpec, Provider, Whereabouts } from './providers/provider.js';

/** Environment that depends on where the machine is. Pure; wins over the rest. */
export type LateEnv = (spec: InstanceSpec, where: Whereabouts) => Record<string, string>;

export interface Catalogue {
  images: ImageSource;
  kernels: KernelSource;
  guests: ReadonlyMap<GuestName, Guest>;
  providers: ReadonlyMap<ProviderName, Provider>;
}

/** What an instance is made of, each part looked up. */
export interface Parts {
  image: Image & { dir: string };
  kernel: KernelEntry & { dir: string; limits?: KernelLimits };
  guest: Guest;
  provider: Provider;
}

/** Finds the parts. Throws image_*, kernel_*, provider_unknown, guest_unsupported. */
export async function lookUp(spec: InstanceSpec, { images, kernels, guests, providers }: Catalogue): Promise<Parts> {
  const provider = providers.get(spec.provider);
  if (!provider) {
    const known = [...providers.keys()].join(', ');
    throw new UnikError('provider_unknown', `this cell has no provider ${spec.provider}; it has: ${known}`);
  }
  const image = await images.get(spec.image);
  checkPairing(image.guest, spec.provider);
  const guest = guests.get(image.guest);
  if (!guest) throw new UnikError('guest_unsupported', `this cell has no guest ${image.guest}`);
  if (guest.ownKernel) return { image, kernel: kernelOf(image, guest.ownKernel), guest, provider };
  const kernel = await kernels.pick({
    abi: image.abi,
    arch: image.arch,
    ...(spec.kernel === undefined ? {} : { id: spec.kernel }),
    ...(image.pin === undefined ? {} : { pin: image.pin }),
  });
  return { image, kernel, guest, provider };
}

/** The kernel that an image is. */
function kernelOf(image: Image & { dir: string }, { overhead_mb }: { overhead_mb: number }): Parts['kernel'] {
  const { guest, abi, arch, created: imported, root, dir } = image;
  return {
    ...{
      schema: 1,
      id: `image-${image.digest.slice(7, 19)}`,
      guest,
      abi,
      version: 'image',
      arch,
      imported,
      overhead_mb,
    },
    ...{ digest: root.digest, files: { kernel: root.file }, dir },
  };
}

/** Memory of the machine, MB. */
function ramFor({ limits }: InstanceSpec, { image, kernel, guest }: Parts): number {
  return guestRamMb(kernel, limits.memory_mb, guest.rootMemoryMb?.(image.root.bytes));
}

/** What the machine costs this host (design D17). */
export function chargeFor(spec: InstanceSpec, parts: Parts): Charge {
  return {
    memory_mb: ramFor(spec, parts) + parts.provider.overheadMb(),
    disk_mb: spec.limits.disk_mb,
  };
}

/** All the provider needs. Throws `bad_request` for what cannot be told to a guest. */
export function machineSpec(spec: InstanceSpec, parts: Parts, lateEnv?: LateEnv): MachineSpec {
  const { image, kernel, guest } = parts;
  const { maxCpus } = guest.capabilities;
  if (spec.limits.cpus > maxCpus) {
    throw new UnikError('bad_request', `limits.cpus: guest ${guest.name} uses at most ${maxCpus}`);
  }
  const boot = guest.plan(image, kernel, spec.limits);
  if (boot.tender) checkWords(variablesIn(spec, image), boot.tender.name);
  const config = makeInstanceConfig(spec, image);
  // What does not fit is told before anything is made; the network is known later.
  boot.configure?.({ ...config, net: { mode: 'none', dns: [] } });
  return {
    key: spec.key,
    owner: spec.owner,
    name: spec.name,
    limits: spec.limits,
    ram_mb: ramFor(spec, parts),
    boot,
    ports: spec.ports,
    network: spec.network,
    config,
    ...(lateEnv ? { configAt: (where) => makeInstanceConfig(withEnv(spec, lateEnv(spec, where)), image) } : {}),
  };
}

/** What is told of where and how an instance runs; all else in an environment may be a secret. */
const NO_SECRETS = /^(PORT|MEMORY_LIMIT|VCAP_APP_(HOST|PORT)|(CF_)?INSTANCE_(INDEX|GUID|IP|PORT|ADDR|INTERNAL_IP))$/;

function checkWords(variables: readonly string[], tender: string): void {
  const secret = variables.find((name) => !NO_SECRETS.test(name));
  if (secret === undefined) return;
  throw new UnikError(
    'guest_unsupported',
    `the arguments hold $${secret}, and all on the host can read what ${tender} is told: build the program for the target virtio, which is told in private`,
  );
}

const withEnv = (spec: InstanceSpec, env: Record<string, string>): InstanceSpec => ({
  ...spec,
  env: { ...spec.env, ...env },
});

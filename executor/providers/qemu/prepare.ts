import { stat, writeFile } from 'node:fs/promises';
import type { Configured } from '../../guests/guest.js';
import type { InstanceConfig } from '../../model.js';
import type { MachineSpec } from '../provider.js';
import { allDone } from './all-done.js';
import { layOut, writeNetFiles } from './files.js';
import { hostAddresses } from './host.js';
import { launch, type Device, type Launched, type LaunchOptions } from './launch.js';
import type { NetPlan, Network } from './net/network.js';
import { programFor, secretLine } from './program.js';
import type { MachineFolder, MachineRecord } from './record.js';

export interface Surroundings extends Pick<LaunchOptions, 'root' | 'path' | 'file_bytes'> {
  network: Network;
}

/** A machine with its wires, files and process, all noted: `launched.go` begins it. */
export interface Prepared {
  launched: Launched;
  record: MachineRecord;
  configured: Configured;
}

/** What was made before a failure is for the caller to clear away. */
export async function prepare(
  spec: MachineSpec,
  reserved: MachineRecord,
  folder: MachineFolder,
  { root, network, path, file_bytes }: Surroundings,
): Promise<Prepared> {
  const { slot, ports, uid } = reserved;
  const net = network.plan({ slot, ports, spec: spec.network, hostAddresses: hostAddresses() });
  const account = { root, uid };
  if (net.inside) await writeNetFiles(folder, net.inside);
  const address = net.instance.address?.split('/')[0];
  const where = {
    ...reserved,
    ...(net.ports ? { ports: net.ports } : {}),
    ...(address === undefined ? {} : { address }),
  };
  const config = { ...(spec.configAt?.(where) ?? spec.config), net: net.instance };
  const configured = spec.boot.configure?.(config) ?? {};
  const begin = async (): Promise<Pick<Prepared, 'launched' | 'record'>> => {
    const launched = await launch({
      ...{ ...account, folder, path, file_bytes },
      namespace: net.namespace,
      network: net.inside !== undefined,
      devices: await closedDevices(reserved, net),
      ...programFor(spec, reserved, net.device, configured),
    });
    const noted = { ...where, qemu: launched.who };
    await folder.save(noted);
    if (noted.guest?.exit_port || noted.tender) void noteStatus(folder, launched.status);
    const outside = await network.attach(noted, folder, launched.who.pid);
    const record = { ...noted, ...outside };
    if (Object.keys(outside).length > 0) await folder.save(record);
    return { launched, record };
  };
  // Its namespaces and wires take as long to make as its files do.
  const begun = await allDone(
    begin(),
    layOut(folder, spec.boot, account, configured),
    keepConfig(spec, config, configured, folder),
  );
  return { ...begun, configured };
}

/** For `LiveMachine` to deliver, or for one after our restart. */
async function keepConfig(
  { boot }: MachineSpec,
  config: InstanceConfig,
  configured: Configured,
  folder: MachineFolder,
): Promise<void> {
  const content = boot.channels.kind === 'virtio-serial' ? JSON.stringify(config) : secretLine(boot, configured);
  if (content !== undefined) await writeFile(folder.config, content, { mode: 0o600 });
}

/** The folder may be gone by then. */
async function noteStatus(folder: MachineFolder, status: Launched['status']): Promise<void> {
  await writeFile(folder.exitStatus, String(await status), { mode: 0o600 }).catch(() => undefined);
}

const NODES = { tun: '/dev/net/tun', kvm: '/dev/kvm' } as const satisfies Record<Device, string>;

/** The devices that QEMU's account could not open as they are. */
async function closedDevices(record: MachineRecord, net: NetPlan): Promise<Device[]> {
  const needed: Device[] = [];
  if (net.device.kind === 'tap') needed.push('tun');
  if (record.accelerator === 'kvm') needed.push('kvm');
  const closed = await Promise.all(needed.map(async (device) => ((await isOpenToAll(NODES[device])) ? [] : [device])));
  return closed.flat();
}

async function isOpenToAll(path: string): Promise<boolean> {
  return ((await stat(path)).mode & 0o006) === 0o006;
}

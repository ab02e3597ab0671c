import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { UnikError } from '../../../../core/errors.js';
import { identify, kill, run, type ProcessIdentity } from '../../../../core/process.js';
import type { PortMapping } from '../../../model.js';
import { LAUNCH_FILES } from '../launch.js';
import { connectUnix } from '../qmp.js';
import type { MachineFolder } from '../record.js';
import { addressesOf } from './addresses.js';
import type { Network, NetworkContext } from './network.js';
import { innerRuleset, TAP, UPLINK } from './rules.js';
import { tapLines } from './tap.js';

/** slirp4netns gives the namespace this network; only `NAMESERVER` in it is of use to a guest. */
const SLIRP = { net: '10.0.2.0/24', address: '10.0.2.100', nameserver: '10.0.2.3' };

/**
 * The same namespace as with `tap`, its uplink a user-mode stack (slirp4netns), which needs no root. The stack ends
 * with QEMU: it watches the read end of a pipe whose write end QEMU holds.
 */
export function userNetwork(context: NetworkContext): Network {
  return {
    mode: 'user',
    plan({ slot, spec, ports, hostAddresses }) {
      const net = addressesOf(slot, context.subnets);
      const dns = spec.dns.length > 0 ? spec.dns : [SLIRP.nameserver];
      return {
        namespace: true,
        device: { kind: 'tap', ifname: TAP },
        instance: { mode: 'static', address: net.guestCidr, gateway: net.gateway, dns },
        inside: {
          ip: ['link set lo up', ...tapLines(net, slot, context)],
          // slirp4netns gives its interface address and route itself.
          uplink: [],
          nft: innerRuleset({
            guest: net.guest,
            dns,
            deny: [...hostAddresses, SLIRP.net, context.subnets.guest, context.subnets.link],
            policy: spec.egress,
            forward: ports,
          }),
        },
      };
    },

    async attach(record, folder, pid) {
      const slirp = await startSlirp(folder, pid, context.root);
      try {
        for (const port of record.ports) await publish(folder, port);
      } catch (err) {
        await kill(slirp, 'SIGKILL');
        throw err;
      }
      return { slirp };
    },

    async detach(record) {
      if (record.slirp) await kill(record.slirp, 'SIGKILL');
    },

    async reaches(record, _folder, port, timeoutMs, signal) {
      if (!record.qemu) return false;
      const { guest } = addressesOf(record.slot, context.subnets);
      const enter = ['-t', String(record.qemu.pid), ...(context.root ? [] : ['-U', '--preserve-credentials']), '-n'];
      const connect = ['timeout', String(timeoutMs / 1000), 'bash', '-c', `exec 3<>/dev/tcp/${guest}/${port}`];
      try {
        await run('nsenter', [...enter, ...connect], { timeout_ms: timeoutMs + 1_000, signal });
        return true;
      } catch {
        // Refused, out of time, aborted, or the namespace is gone with its machine.
        return false;
      }
    },
  };
}

async function startSlirp(folder: MachineFolder, pid: number, root: boolean): Promise<ProcessIdentity> {
  const log = await open(join(folder.path, LAUNCH_FILES.log), 'a', 0o600);
  const life = await open(join(folder.path, LAUNCH_FILES.life), constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const child = spawn(
      'slirp4netns',
      [
        '--configure',
        '--mtu=1500',
        '--disable-host-loopback',
        '--enable-sandbox',
        '--enable-seccomp',
        `--api-socket=${API}`,
        '--ready-fd=3',
        '--exit-fd=4',
        String(pid),
        UPLINK,
      ],
      { cwd: folder.path, detached: true, stdio: ['ignore', log.fd, log.fd, 'pipe', life.fd] },
    );
    await once(child, 'spawn');
    child.unref();
    const [ready] = (await Promise.race([once(child.stdio[3] as Readable, 'data'), once(child, 'exit')])) as [unknown];
    const who = child.pid === undefined ? undefined : await identify(child.pid);
    if (!Buffer.isBuffer(ready) || !who) throw new Error('slirp4netns ended at once');
    return who;
  } catch (err) {
    throw new UnikError('network_unavailable', `slirp4netns could not be started (root: ${root})`, { cause: err });
  } finally {
    await log.close();
    await life.close();
  }
}

const API = 'slirp';

/** Throws port_taken. */
async function publish(folder: MachineFolder, port: PortMapping): Promise<void> {
  const socket = await connectUnix(folder.path, API);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const request = {
    execute: 'add_hostfwd',
    arguments: {
      proto: port.protocol,
      host_addr: port.host_address,
      host_port: port.host_port,
      guest_addr: SLIRP.address,
      guest_port: port.guest_port,
    },
  };
  socket.end(JSON.stringify(request));
  await once(socket, 'close');
  const reply = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { error?: { desc: string } };
  if (!reply.error) return;
  throw new UnikError(
    'port_taken',
    `cannot publish ${port.protocol} ${port.host_address}:${port.host_port}: ${reply.error.desc}`,
  );
}

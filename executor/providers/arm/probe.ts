import { networkInterfaces } from 'node:os';
import { stat } from 'node:fs/promises';
import { messageOf } from '../../../core/errors.js';
import { run } from '../../../core/process.js';
import type { Finding, Probe } from '../provider.js';
import type { Claims } from './claims.js';
import type { ArmConfig, Board } from './config.js';
import type { Power } from './power.js';

interface Subject {
  config: ArmConfig;
  claims: Claims;
  power: (board: Board) => Power;
}

/** What `unik doctor` says of the boards: the boot server's needs, then each board. */
export async function probeBoards({ config, claims, power }: Subject, signal: AbortSignal): Promise<Probe> {
  const findings: Finding[] = [await serverFinding(config, signal), networkFinding(config), accountFinding()];
  const taken = new Set((await claims.all()).map(({ board }) => board));
  for (const board of config.boards) {
    findings.push(await boardFinding(board, { power: power(board), trouble: await claims.trouble(board.id) }, signal));
  }
  const healthy = findings.slice(0, 3).every(({ status }) => status === 'ok');
  const free = config.boards.length - taken.size;
  const summary = healthy ? `${config.boards.length} boards, ${free} free` : 'boards cannot be booted';
  return { healthy, summary, findings };
}

async function serverFinding({ dnsmasq }: ArmConfig, signal: AbortSignal): Promise<Finding> {
  try {
    const { stdout } = await run(dnsmasq, ['--version'], { timeout_ms: 5_000, signal });
    return { name: 'arm boot server', status: 'ok', detail: stdout.split('\n')[0]?.slice(0, 60) ?? '' };
  } catch (err) {
    return { name: 'arm boot server', status: 'error', detail: messageOf(err), fix: 'apt-get install dnsmasq-base' };
  }
}

function networkFinding({ interface: name, server }: ArmConfig): Finding {
  const found = networkInterfaces()[name];
  if (found?.some(({ address }) => address === server))
    return { name: 'arm network', status: 'ok', detail: `${server} on ${name}` };
  return {
    name: 'arm network',
    status: 'error',
    detail: found ? `${name} has not the address ${server}` : `there is no interface ${name}, or it is down`,
    fix: `ip addr add ${server}/24 dev ${name} && ip link set ${name} up, or correct provider_options.arm`,
  };
}

function accountFinding(): Finding {
  if (process.getuid?.() === 0) return { name: 'arm rights', status: 'ok', detail: 'root' };
  return {
    name: 'arm rights',
    status: 'error',
    detail: 'DHCP and TFTP are served on ports that only root may open',
    fix: 'run the cell of this provider as root',
  };
}

async function boardFinding(
  board: Board,
  { power, trouble }: { power: Power; trouble: string | undefined },
  signal: AbortSignal,
): Promise<Finding> {
  const name = `arm board ${board.id}`;
  if (board.firmware !== undefined && !(await stat(board.firmware).catch(() => undefined))?.isDirectory()) {
    return {
      name,
      status: 'error',
      detail: `there is no folder ${board.firmware}`,
      fix: "put the Raspberry Pi's boot files there",
    };
  }
  try {
    const on = await power.isOn(signal);
    const state = on === undefined ? 'power state unknown' : on ? 'on' : 'off';
    if (trouble === undefined) return { name, status: 'ok', detail: state };
    return {
      name,
      status: 'warning',
      detail: `${trouble} (${state})`,
      fix: 'look at its cable, its console, and the boot order of its loader',
    };
  } catch (err) {
    return {
      name,
      status: 'warning',
      detail: messageOf(err),
      fix: `correct the power of board ${board.id} in provider_options.arm`,
    };
  }
}

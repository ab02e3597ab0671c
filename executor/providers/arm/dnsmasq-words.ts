import type { ArmConfig } from './config.js';

/** What dnsmasq said of a board. */
export type BoardEvent = { mac: string; happened: 'asked' } | { mac: string; happened: 'fetched'; file: string };

/** The command line of dnsmasq: DHCP and TFTP for the known boards on one interface, and nothing else. Pure. */
export function dnsmasqArgs(config: ArmConfig, dir: { tftp: string; leases: string; log: string }): string[] {
  const [network = ''] = config.subnet.split('/');
  return [
    ...['--keep-in-foreground', '--conf-file=/dev/null', '--port=0', `--interface=${config.interface}`],
    ...['--bind-interfaces', '--except-interface=lo', '--pid-file=', `--user=${config.dnsmasq_user}`],
    // Only boards that have a line of their own; strangers get nothing.
    `--dhcp-range=${network},static,${maskOf(config.subnet)},1h`,
    ...config.boards.map(({ mac, address, id }) => `--dhcp-host=${mac},${address},${id}`),
    ...(config.gateway === undefined
      ? ['--dhcp-option=option:router']
      : [`--dhcp-option=option:router,${config.gateway}`]),
    // The Pi's ROM wants to read these words, with three spaces behind them.
    '--dhcp-option-force=vendor:PXEClient,9,Raspberry Pi Boot   ',
    ...[`--dhcp-boot=boot.scr.uimg,,${config.server}`, `--dhcp-option=option:tftp-server,${config.server}`],
    ...['--enable-tftp', `--tftp-root=${dir.tftp}`, '--tftp-unique-root=mac', '--no-ping', '--dhcp-authoritative'],
    ...[`--dhcp-leasefile=${dir.leases}`, `--log-facility=${dir.log}`, '--log-dhcp'],
  ];
}

/** One line of dnsmasq's log; undefined: it tells nothing about a board. Pure. */
export function readLogLine(line: string): BoardEvent | undefined {
  const asked = /DHCPDISCOVER\([^)]*\) (?:[\d.]+ )?([0-9a-f:]{17})/.exec(line)?.[1];
  if (asked !== undefined) return { mac: asked, happened: 'asked' };
  const [, folder, file] = /: sent \S*\/([0-9a-f]{2}(?:-[0-9a-f]{2}){5})\/(\S+) to /.exec(line) ?? [];
  if (folder === undefined || file === undefined) return undefined;
  return { mac: folder.replaceAll('-', ':'), happened: 'fetched', file };
}

function maskOf(cidr: string): string {
  const bits = Number(cidr.split('/')[1]);
  const mask = bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0;
  return [24, 16, 8, 0].map((shift) => (mask >>> shift) & 0xff).join('.');
}

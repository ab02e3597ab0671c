import { UnikError } from '../../../core/errors.js';
import type { InstanceNet } from '../../model.js';

/**
 * The command line: `PARAMETERS -- PROGRAM ARGUMENTS`. Without ` -- ` no parameter is read and there is no root. Lists
 * are `name=[ item item ]`; words are grouped by quotes, with a backslash before a quote or a backslash.
 */
export function kernelLine(
  net: InstanceNet,
  hostname: string,
  variables: readonly string[],
  argv: readonly string[],
): string {
  return [
    ...network(net, hostname),
    'vfs.fstab=[ "initrd0:/:extract::ramfs=1:" ]',
    ...(variables.length > 0 ? [`env.vars=[ ${variables.map(word).join(' ')} ]`] : []),
    '--',
    ...argv.map(word),
  ].join(' ');
}

/** `address/prefix:gateway:dns0:dns1:hostname:domain`; later parts may be missing. */
function network({ mode, address, gateway, dns }: InstanceNet, hostname: string): string[] {
  if (mode === 'dhcp' || address === undefined) return [];
  const name = /^[A-Za-z0-9.-]+$/.test(hostname) ? hostname : '';
  return [`netdev.ip=${[address, gateway ?? '', dns[0] ?? '', dns[1] ?? '', name].join(':').replace(/:+$/, '')}`];
}

/** Throws bad_request for what no quoting can carry. */
export function word(text: string): string {
  if (/[\n\r\0]/.test(text)) {
    throw new UnikError(
      'bad_request',
      `${JSON.stringify(text.slice(0, 40))}: a line end does not fit this kernel's command line`,
    );
  }
  if (/^[A-Za-z0-9_@%+:,./=-]+$/.test(text)) return text;
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

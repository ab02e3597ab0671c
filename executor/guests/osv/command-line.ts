import { UnikError } from '../../../core/errors.js';
import type { InstanceConfig, InstanceNet } from '../../model.js';
import { dotted } from '../net-words.js';
import { SETTLE_PATH } from './settle.js';

/**
 * QEMU's loader of such kernels copies into 4096 bytes and writes what is longer over itself
 * (pc-bios/optionrom/pvh_main.c).
 */
const MOST_BYTES = 4_095;

/**
 * `OPTIONS PROGRAM ARGUMENTS`: the program that sets the variables, then the application. The variables themselves are
 * not here: options end at a blank, and what escapes one is lost on the way. Throws environment_too_large, bad_request.
 */
export function commandLine({ argv, cwd, net }: InstanceConfig): string {
  const line = [
    '--rootfs=rofs',
    ...network(net),
    `--cwd=${plain('the working folder', cwd)}`,
    `${SETTLE_PATH};`,
    ...argv.map(quoted),
  ].join(' ');
  const bytes = Buffer.byteLength(line);
  if (bytes <= MOST_BYTES) return line;
  throw new UnikError('environment_too_large', `the arguments take ${bytes} bytes, the guest osv takes ${MOST_BYTES}`);
}

function network({ mode, address, gateway, dns }: InstanceNet): string[] {
  if (mode !== 'static' || address === undefined) return [];
  const { address: ip, mask } = dotted(address);
  return [
    `--ip=eth0,${ip},${mask}`,
    ...(gateway === undefined ? [] : [`--defaultgw=${gateway}`]),
    ...(dns[0] === undefined ? [] : [`--nameserver=${dns[0]}`]),
  ];
}

function plain(what: string, text: string): string {
  if (/^[\x21-\x7e]+$/.test(text) && !text.includes('\\')) return text;
  throw new UnikError('bad_request', `${what} holds a blank or a letter which the guest osv cannot be told`);
}

/** Grouped by quotes, with a backslash before what would end them. `$` starts a variable everywhere. */
function quoted(text: string): string {
  if (/^[A-Za-z0-9_@%+:,./=-]+$/.test(text)) return text;
  if (!/^[\x20-\x7e]*$/.test(text) || text.includes('$')) {
    throw new UnikError('bad_request', `the argument ${JSON.stringify(text)} holds what the guest osv cannot be told`);
  }
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

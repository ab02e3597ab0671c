import { UnikError } from '../../../core/errors.js';
import type { InstanceConfig, InstanceNet } from '../../model.js';
import { dotted } from '../net-words.js';

/** What the area for it on a disk holds, and what is taken by QEMU's `-append` as well. */
const MOST_BYTES = 32_255;

/**
 * `OPTIONS PROGRAM ARGUMENTS`. A variable's value ends at the first blank, and nothing puts one there: a value with a
 * blank is refused, not cut. Throws environment_too_large, bad_request.
 */
export function commandLine({ argv, cwd, env, net }: InstanceConfig): string {
  const line = [
    '--rootfs=rofs',
    ...network(net),
    ...Object.entries(env).map(([name, value]) => `--env=${plain(`variable ${name}`, `${name}=${value}`)}`),
    `--cwd=${plain('the working folder', cwd)}`,
    ...argv.map(quoted),
  ].join(' ');
  const bytes = Buffer.byteLength(line);
  if (bytes <= MOST_BYTES) return line;
  throw new UnikError(
    'environment_too_large',
    `the command line takes ${bytes} bytes, the guest osv takes ${MOST_BYTES}`,
  );
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
  if (!/[\s"\\\0]/.test(text)) return text;
  throw new UnikError(
    'bad_request',
    `${what} holds a blank, a quote or a backslash, which the guest osv cannot be told`,
  );
}

/** Arguments may be grouped by quotes. The characters that join commands mean themselves inside them. */
function quoted(text: string): string {
  if (/["\\\n\0]/.test(text)) {
    throw new UnikError('bad_request', `the argument ${JSON.stringify(text)} holds what the guest osv cannot be told`);
  }
  return /^[A-Za-z0-9_@%+:,./=-]+$/.test(text) ? text : `"${text}"`;
}

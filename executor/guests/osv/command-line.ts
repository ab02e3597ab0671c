import { UnikError } from '../../../core/errors.js';
import type { InstanceConfig, InstanceNet } from '../../model.js';
import { dotted } from '../net-words.js';

/**
 * What arrives, by how the kernel is started. `pvh`: QEMU's loader of such kernels copies into 4096 bytes and writes what
 * is longer over itself (pc-bios/optionrom/pvh_main.c). `bios`: what the boot sector loads behind itself.
 */
const MOST_BYTES = { pvh: 4_095, bios: 32_255 } as const;

/**
 * `OPTIONS PROGRAM ARGUMENTS`. In an option a backslash takes the meaning from the character behind it, blanks included
 * (core/commands.cc). Words of the program are read by another grammar, which expands `$` and knows no other alphabet:
 * what is not plain is put into a variable, and its name stands in its place. Throws environment_too_large, bad_request.
 */
export function commandLine({ argv, cwd, env, net }: InstanceConfig, boot: keyof typeof MOST_BYTES = 'bios'): string {
  const words = argv.map((word, index) =>
    PLAIN.test(word) ? { word } : { word: `$${ARGUMENT}${index}`, value: word },
  );
  const carried = words.flatMap(({ value }, index) => (value === undefined ? [] : [[`${ARGUMENT}${index}`, value]]));
  const line = [
    '--rootfs=rofs',
    ...network(net),
    ...[...Object.entries(env), ...carried].map(([name, value]) => `--env=${escaped(`${name}=${value}`)}`),
    `--cwd=${escaped(cwd)}`,
    ...words.map(({ word }) => word),
  ].join(' ');
  const bytes = Buffer.byteLength(line);
  if (bytes <= MOST_BYTES[boot]) return line;
  throw new UnikError(
    'environment_too_large',
    `the command line takes ${bytes} bytes, the guest osv takes ${MOST_BYTES[boot]}${boot === 'pvh' ? '; with its loader.img imported it takes more' : ''}`,
  );
}

const PLAIN = /^[A-Za-z0-9_@%+:,./=-]+$/;
const ARGUMENT = 'UNIK_ARGUMENT_';

function network({ mode, address, gateway, dns }: InstanceNet): string[] {
  if (mode !== 'static' || address === undefined) return [];
  const { address: ip, mask } = dotted(address);
  return [
    `--ip=eth0,${ip},${mask}`,
    ...(gateway === undefined ? [] : [`--defaultgw=${gateway}`]),
    ...(dns[0] === undefined ? [] : [`--nameserver=${dns[0]}`]),
  ];
}

function escaped(text: string): string {
  if (text.includes('\0')) throw new UnikError('bad_request', 'a zero byte fits no variable of the guest osv');
  return text.replace(/[\s\\]/g, '\\$&');
}

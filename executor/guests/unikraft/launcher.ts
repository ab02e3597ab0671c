import type { InstanceConfig } from '../../model.js';
import { LAUNCHER_BASE64 } from './launch-code.js';

/** In the image: the program that the kernel starts. */
export const LAUNCHER_PATH = '/.unik/launch';

/** The compiled `launch/`. */
export function launcher(): Buffer {
  return Buffer.from(LAUNCHER_BASE64, 'base64');
}

/** The config as `launch/launch.c` reads it. */
export function encodeConfig({ argv, cwd, env, files }: InstanceConfig): Buffer {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const contents = Object.entries(files).flat();
  const words = [cwd, argv[0] ?? '', ...argv, ...variables, ...contents];
  const strings = Buffer.from(words.map((text) => `${text}\0`).join(''));
  const head = Buffer.alloc(20);
  head.write('UNK1', 'latin1');
  [head.length + strings.length, argv.length, variables.length, contents.length / 2].forEach((number, i) =>
    head.writeUInt32LE(number, 4 + i * 4),
  );
  return Buffer.concat([head, strings]);
}

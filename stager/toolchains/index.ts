import { binaryToolchain } from './binary.js';
import { goToolchain } from './go.js';
import { javaToolchain } from './java.js';
import { nodeToolchain } from './node.js';
import { pythonToolchain } from './python.js';
import { rubyToolchain } from './ruby.js';
import { staticToolchain } from './static.js';
import type { Toolchain } from './toolchain.js';

/**
 * In the order in which their marks count, which is that of Cloud Foundry's own buildpacks (a Staticfile comes before
 * all of them); static comes last, as an index.html is found in applications of every kind.
 */
export const TOOLCHAINS: readonly Toolchain[] = [
  javaToolchain,
  rubyToolchain,
  nodeToolchain,
  goToolchain,
  pythonToolchain,
  binaryToolchain,
  staticToolchain,
];

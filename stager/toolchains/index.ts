import { binaryToolchain } from './binary.js';
import { nodeToolchain } from './node.js';
import { pythonToolchain } from './python.js';
import { staticToolchain } from './static.js';
import type { Toolchain } from './toolchain.js';

/**
 * In the order in which their marks count, which is that of Cloud Foundry's own buildpacks; static comes last, as an
 * index.html is found in applications of every kind.
 */
export const TOOLCHAINS: readonly Toolchain[] = [nodeToolchain, pythonToolchain, binaryToolchain, staticToolchain];

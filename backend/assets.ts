import { fileURLToPath } from 'node:url';

/** What the setup puts beside the program: our compiled init, unpacked kernels. Bundled or not, one folder up. */
export const ASSETS = fileURLToPath(new URL('../.assets/', import.meta.url));

/** Where finalize leaves, in the build directory, what `bin/release` prints. */
export const RELEASE_FILE = 'tmp/unik-release.yml';

import { UnikError } from '../../core/errors.js';
import { isElfMagic } from '../../executor/images/elf.js';
import type { SourceTree } from '../source.js';
import type { Toolchain } from './toolchain.js';

/** A program that is already built. */
export const binaryToolchain: Toolchain = {
  name: 'binary',
  programs: [],
  detect: (source) => programsIn(source)[0],

  async build({ source, commands, progress }) {
    const found = programsIn(source);
    const [only, ...others] = found;
    if (commands === undefined && others.length > 0) {
      throw new UnikError(
        'command_missing',
        `there are several programs (${found.join(', ')}) and no Procfile says which`,
      );
    }
    if (only !== undefined) progress(`Programs: ${found.join(', ')}`);
    return {
      commands: only === undefined ? {} : { web: `'./${only.replaceAll("'", "'\\''")}'` },
      programs: {},
      elf: [],
      env: {},
      add: async () => undefined,
    };
  },
};

/** Executable ELF files at the top and in `bin`. Libraries may be executable too: their names tell. */
function programsIn(source: SourceTree): string[] {
  return ['', 'bin/'].flatMap((folder) =>
    source
      .list(folder)
      .map((name) => folder + name)
      .filter((path) => !/\.(so(\.\d+)*|node|a|o)$/.test(path))
      .filter((path) => source.isExecutable(path) && isElfMagic(source.head(path, 4))),
  );
}

import { readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { UnikError } from '../../core/errors.js';
import { readFolder } from '../../executor/images/read-folder.js';
import { ROOT } from '../../executor/images/tree.js';
import type { SourceTree } from '../source.js';
import { readZipEntry } from '../zip.js';
import { javaRuntime } from './java-runtime.js';
import type { Toolchain } from './toolchain.js';

/** Where the runtime lies in the image. */
const RUNTIME = '/opt/java';
/** Where Maven and Gradle leave what they build. */
const FOLDERS = ['', 'target/', 'build/libs/'];
/** A machine runs one application: most of its memory is the heap's, and a small collector and compiler suit it. */
const OPTIONS = ['-XX:MaxRAMPercentage=70', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'];

/** Java: a runnable jar, and a runtime of the modules that it needs. */
export const javaToolchain: Toolchain = {
  name: 'java',
  runtime: 'Java',
  programs: ['java'],
  detect: (source) => jarsIn(source)[0],

  async build(context) {
    const { source, dir, commands, which, progress } = context;
    const java = which('java');
    if (java === undefined)
      throw new UnikError('toolchain_missing', 'the application needs java: install a Java runtime');
    const jars = jarsIn(source);
    const runnable = jars.filter((jar) => hasMainClass(join(dir, jar)));
    const [jar] = runnable;
    if (commands === undefined && runnable.length !== 1) {
      const why =
        jar === undefined
          ? `no jar has a Main-Class in its manifest (there are ${jars.join(', ')})`
          : `several jars are runnable (${runnable.join(', ')}) and no Procfile says which`;
      throw new UnikError(jar === undefined ? 'main_class_missing' : 'command_missing', why);
    }
    if (jar !== undefined) progress(`Runnable jar: ${jar}`);
    const runtime = await javaRuntime(context, realpathSync(java), jars);
    return {
      commands: jar === undefined ? {} : { web: `java -jar '${jar.replaceAll("'", "'\\''")}'` },
      programs: { java: [`${RUNTIME}/bin/java`, ...OPTIONS] },
      elf: [join(runtime, 'bin/java'), join(runtime, 'lib/server/libjvm.so')],
      modules: librariesIn(join(runtime, 'lib')),
      // libjvm.so is loaded first and by its path; the others then find it.
      libraryPath: [join(runtime, 'lib/server'), join(runtime, 'lib')],
      folders: [runtime],
      env: { JAVA_HOME: RUNTIME },
      add: (tree) =>
        readFolder(runtime, tree.folder(RUNTIME), { owner: ROOT, skip: (path) => path === 'legal' || path === 'man' }),
    };
  },
};

function jarsIn(source: SourceTree): string[] {
  return FOLDERS.flatMap((folder) =>
    source
      .list(folder)
      .filter((name) => name.endsWith('.jar') && !/-(sources|javadoc|plain)\.jar$/.test(name))
      .map((name) => folder + name),
  );
}

function hasMainClass(jar: string): boolean {
  return /^Main-Class:/m.test(readZipEntry(jar, 'META-INF/MANIFEST.MF')?.toString() ?? '');
}

function librariesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.so'))
    .map((name) => join(folder, name));
}

import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasCode, UnikError } from '../../core/errors.js';
import { listZip, readZipEntry } from '../zip.js';
import type { BuildContext } from './toolchain.js';

/** What libraries reach by name only, so that no reading of the jar shows it. */
const ALWAYS = ['java.logging', 'java.management', 'java.naming', 'jdk.crypto.ec', 'jdk.unsupported', 'jdk.zipfs'];
/** For jars that carry other jars, which jdeps does not look into. */
const WIDE = [...ALWAYS, 'java.se', 'jdk.httpserver', 'jdk.management', 'jdk.net'];

/**
 * A folder with the Java runtime that these jars need: made by jlink from their modules, or, where the host has no
 * jlink, its whole runtime. Kept in the cache by version and modules. Throws toolchain_failed.
 */
export async function javaRuntime(context: BuildContext, java: string, jars: readonly string[]): Promise<string> {
  const home = dirname(dirname(java));
  const jlink = join(home, 'bin/jlink');
  const modules = existsSync(jlink) ? await modulesOf(context, home, jars) : undefined;
  const version = await identityOf(home);
  const key = createHash('sha256')
    .update(JSON.stringify([version, modules ?? 'whole', 1]))
    .digest('hex')
    .slice(0, 16);
  const runtime = join(context.cache, 'java', key);
  if (existsSync(runtime)) {
    context.progress(`Java runtime: ${modules ? `${modules.length} modules` : home}, made before`);
    return runtime;
  }
  const half = `${runtime}.${randomBytes(4).toString('hex')}`;
  await mkdir(dirname(runtime), { recursive: true, mode: 0o700 });
  try {
    if (modules) {
      context.progress(`Java runtime: jlink with ${modules.join(', ')}`);
      const slim = ['--strip-java-debug-attributes', '--no-header-files', '--no-man-pages'];
      await context.tool(jlink, ['--add-modules', modules.join(','), ...slim, '--output', half]);
    } else {
      context.progress(`Java runtime: all of ${home}, as there is no jlink to trim it`);
      await cp(home, half, { recursive: true, dereference: true, filter: (path) => !isTool(path.slice(home.length)) });
    }
    await rename(half, runtime);
  } catch (err) {
    // Another build made the same runtime meanwhile.
    if (!hasCode(err, 'ENOTEMPTY') && !hasCode(err, 'EEXIST')) throw err;
  } finally {
    await rm(half, { recursive: true, force: true });
  }
  return runtime;
}

/** Sorted; a module that another one asks for need not stand here. */
async function modulesOf(context: BuildContext, home: string, jars: readonly string[]): Promise<string[]> {
  const paths = jars.map((jar) => join(context.dir, jar));
  if (paths.some(carriesJars)) return [...WIDE].sort();
  const jdeps = join(home, 'bin/jdeps');
  const options = ['--multi-release', 'base', '--ignore-missing-deps', '--print-module-deps'];
  try {
    const printed = await context.tool(jdeps, [...options, ...paths], { quiet: true });
    const found = printed.trim().split('\n').at(-1)?.split(',') ?? [];
    return [...new Set([...found, ...ALWAYS])].sort();
  } catch (err) {
    if (!(err instanceof UnikError) || err.code !== 'toolchain_failed') throw err;
    context.progress('jdeps cannot tell the modules that the jar needs: taking the usual ones');
    return [...WIDE].sort();
  }
}

function carriesJars(jar: string): boolean {
  const manifest = readZipEntry(jar, 'META-INF/MANIFEST.MF')?.toString() ?? '';
  return /^Class-Path:/m.test(manifest) || listZip(jar).some(({ name }) => name.endsWith('.jar'));
}

/** What tells one Java from another: its `release` file, and the virtual machine's size. */
async function identityOf(home: string): Promise<string[]> {
  const release = join(home, 'release');
  const jvm = await stat(join(home, 'lib/server/libjvm.so'));
  return [existsSync(release) ? readFileSync(release, 'utf8') : home, String(jvm.size)];
}

/** Parts of a development kit that running needs not. */
function isTool(path: string): boolean {
  return /^\/(jmods|include|man|demo|legal|docs|lib\/src\.zip|src\.zip|lib\/ct\.sym)(\/|$)|^\/bin\/(?!java$)/.test(
    path,
  );
}

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The sources of the applications that tests build, boot and talk to. */
export const APPS = join(import.meta.dirname, '../fixtures/apps');

/** What an application of test/fixtures/apps answers, says last, and exits with. */
export const EXPECTED = {
  static: {
    body: '<!doctype html>\n<title>static</title>\n<p>static says hello</p>\n',
    lastWords: undefined,
    exit: 143,
  },
  'node-bare': { body: 'node-bare says hello\n', lastWords: 'bye', exit: 3 },
  'node-deps': { body: /^node-deps says hello with \d{3,} packages\n$/, lastWords: 'bye', exit: 2 },
  procfile: { body: 'procfile says good day!\n', lastWords: 'bye', exit: 4 },
  python: { body: 'python says &lt;hello&gt; with markupsafe._speedups\n', lastWords: 'bye', exit: 6 },
  ruby: { body: 'ruby says hello\n', lastWords: 'bye', exit: 5 },
  go: { body: 'go says hello\n', lastWords: 'bye', exit: 7 },
  java: { body: 'java says hello\n', lastWords: 'bye', exit: 8 },
  binary: { body: 'binary says hello\n', lastWords: 'bye', exit: 9 },
} as const;
export type FixtureApp = keyof typeof EXPECTED;

/** Where Debian's libjetty9-java and libservlet-api-java put a real web server. */
const JETTY = ['jetty9-server', 'jetty9-http', 'jetty9-io', 'jetty9-util', 'servlet-api'].map(
  (name) => `/usr/share/java/${name}.jar`,
);

/**
 * The folder of an application, ready to be built into an image. For `java`, `ruby` and `binary` that is a new folder under
 * `into`, with what the compilers of this host make of the sources.
 */
export function fixtureApp(name: FixtureApp, into: string): string {
  if (name === 'java') return buildJava(join(into, 'java'));
  if (name === 'ruby') return buildRuby(join(into, 'ruby'));
  if (name === 'binary') return buildBinary(join(into, 'binary'), 'gcc');
  return join(APPS, name);
}

/** With its one gem packed into `vendor/cache`, as `bundle package` leaves it. */
export function buildRuby(into: string): string {
  cpSync(join(APPS, 'ruby'), into, { recursive: true });
  const gem = join(into, 'greeting');
  mkdirSync(join(into, 'vendor/cache'), { recursive: true });
  const env = { ...process.env, SOURCE_DATE_EPOCH: '0' };
  execFileSync('gem', ['build', '--quiet', '-o', join(into, 'vendor/cache/greeting-1.0.0.gem'), 'greeting.gemspec'], {
    ...{ cwd: gem, env, stdio: 'pipe' },
  });
  rmSync(gem, { recursive: true });
  return into;
}

/** `compiler`: `gcc` gives a program with shared libraries, `musl-gcc` one without. */
export function buildBinary(into: string, compiler: 'gcc' | 'musl-gcc'): string {
  mkdirSync(into, { recursive: true });
  const options = compiler === 'musl-gcc' ? ['-static'] : [];
  execFileSync(compiler, ['-O1', ...options, '-o', join(into, 'server'), join(APPS, 'binary/server.c')]);
  return into;
}

const FREESTANDING =
  '-m32 -march=i686 -mno-sse -O1 -ffreestanding -fno-pie -no-pie -nostdlib -static -fno-stack-protector ' +
  '-fno-toplevel-reorder -fno-asynchronous-unwind-tables -Wl,-Ttext=0x100000,--build-id=none';

/** A kernel that is its own application: it answers HTTP; see its source. */
export function buildKernel(into: string): string {
  mkdirSync(into, { recursive: true });
  const options = FREESTANDING.split(' ');
  execFileSync('gcc', [...options, '-o', join(into, 'kernel'), join(APPS, 'kernel/kernel.c')]);
  writeFileSync(join(into, 'Procfile'), 'web: ./kernel ip=$CF_INSTANCE_INTERNAL_IP port=$PORT\n');
  return into;
}

/** The application that misbehaves when told to: `./behave serve`; see its source. */
export function buildBehave(into: string): string {
  mkdirSync(into, { recursive: true });
  execFileSync('musl-gcc', ['-O1', '-static', '-o', join(into, 'behave'), join(APPS, 'behave/behave.c')]);
  writeFileSync(join(into, 'Procfile'), 'web: ./behave serve\n');
  return into;
}

/** A runnable jar with Jetty in it; without Jetty on this host, one on the runtime's own server. */
export function buildJava(into: string): string {
  mkdirSync(into, { recursive: true });
  const work = mkdtempSync(join(tmpdir(), 'unik-java-'));
  try {
    const hasJetty = JETTY.every((jar) => existsSync(jar));
    const source = join(APPS, 'java', hasJetty ? 'jetty' : 'plain', 'Main.java');
    const classPath = hasJetty ? ['-cp', JETTY.join(':')] : [];
    execFileSync('javac', ['--release', '11', ...classPath, '-d', work, source], { stdio: 'pipe' });
    if (hasJetty) {
      for (const jar of JETTY) execFileSync('jar', ['xf', jar], { cwd: work });
      rmSync(join(work, 'META-INF/MANIFEST.MF'), { force: true });
    }
    writeFileSync(join(work, 'main.txt'), 'Main-Class: Main\n');
    const staged = join(work, 'app.jar');
    execFileSync('jar', ['cfm', staged, join(work, 'main.txt'), '-C', work, '.'], { stdio: 'pipe' });
    cpSync(staged, join(into, 'app.jar'));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return into;
}

import { existsSync, readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { UnikError } from '../../core/errors.js';
import { APP_DIR } from '../../executor/images/base.js';
import { addHostFile, addHostFolder } from '../../executor/images/host-files.js';
import { placeIn, settings } from './ruby-gems.js';
import type { SourceTree } from '../source.js';
import { movableRuntime } from './movable.js';
import type { BuildContext, Toolchain } from './toolchain.js';

/** Parts of the standard library that no server uses: documentation, type checkers, debuggers. */
const NOT_NEEDED = /(^|\/)(cache|doc|ri|rbs-[^/]*|typeprof-[^/]*|debug-[^/]*|rdoc-[^/]*)$/;

const interpreterSchema = z.object({
  version: z.string(),
  executable: z.string(),
  api: z.string(),
  bundler: z.object({ version: z.string(), program: z.string() }).nullable(),
  libraries: z.array(z.string()),
  extensions: z.string(),
});
type Interpreter = z.infer<typeof interpreterSchema>;
const DESCRIBE = `
require 'json'
config = RbConfig::CONFIG
bundler = Gem::Specification.find_all_by_name('bundler').max_by(&:version)
gems = Gem.path.select { |dir| dir.start_with?(config['prefix'] + '/') }
dirs = ($:.to_a + gems).map { |dir| dir.to_s }.select { |dir| dir.start_with?('/') && Dir.exist?(dir) }.uniq
print JSON.generate({
  'version' => RUBY_VERSION, 'executable' => RbConfig.ruby, 'api' => config['ruby_version'],
  'bundler' => bundler && { 'version' => bundler.version.to_s, 'program' => bundler.bin_file('bundle') },
  'libraries' => dirs, 'extensions' => config['rubyarchdir'] })
`;

/** Ruby: the interpreter of this host, its standard library, and the gems that the Gemfile names. */
export const rubyToolchain: Toolchain = {
  name: 'ruby',
  runtime: 'Ruby',
  programs: ['ruby', 'bundle', 'bundler', 'rackup', 'rake', 'rails', 'puma', 'thin', 'unicorn', 'sidekiq'],
  detect: (source) => (source.kind('Gemfile') === 'file' ? 'Gemfile' : undefined),

  async build(context) {
    const { source, placed, progress } = context;
    const { command, ...ruby } = await findInterpreter(context);
    progress(`Ruby ${ruby.version} (${ruby.executable})`);
    const there = placed(ruby.executable);
    const hasGems = source.kind('Gemfile') === 'file';
    // The buildpack that supplied the interpreter has installed the gems beside it.
    const app = hasGems && there === undefined ? await install(context, command, ruby) : undefined;

    const program = [there ?? ruby.executable];
    const bundle = ruby.bundler && there === undefined ? [...program, ruby.bundler.program] : undefined;
    return {
      ...(app === undefined ? {} : { app }),
      commands: commandsOf(source),
      programs: {
        ruby: program,
        [`ruby${ruby.version.split('.').slice(0, 2).join('.')}`]: program,
        ...(bundle ? { bundle, bundler: bundle } : {}),
      },
      path: ['bin', `${placeIn('', ruby.api)}/bin`],
      elf: [ruby.executable],
      modules: extensionsIn(ruby.extensions),
      env: {
        RACK_ENV: 'production',
        RAILS_ENV: 'production',
        RAILS_LOG_TO_STDOUT: 'enabled',
        RAILS_SERVE_STATIC_FILES: 'enabled',
        ...(app !== undefined && ruby.bundler ? settings(APP_DIR, ruby.bundler.version, source) : {}),
      },
      // Packed gems were unpacked; how extensions were made concerns nobody any more, and names folders of this host.
      ignore: ['/vendor/cache/', '/vendor/bundle/ruby/*/cache/', 'gem_make.out', 'mkmf.log', '/vendor/bundle/**/*.o'],
      async add(tree) {
        if (there !== undefined) return;
        addHostFile(tree, ruby.executable);
        // For commands that are given later: those of tasks, or in place of the application's own.
        if (!ruby.executable.endsWith('/ruby')) tree.symlink('/usr/local/bin/ruby', ruby.executable);
        if (ruby.bundler) {
          const text = `#!${ruby.executable}\nload ${JSON.stringify(ruby.bundler.program)}\n`;
          for (const name of ['bundle', 'bundler']) tree.file(`/usr/local/bin/${name}`, text, 0o755);
        }
        for (const dir of outermost(ruby.libraries))
          await addHostFolder(tree, dir, { skip: (path) => NOT_NEEDED.test(path) });
      },
    };
  },
};

/** As Cloud Foundry's buildpack for Ruby has it: Rails' own server, else Rack's. */
function commandsOf(source: SourceTree): Record<string, string> {
  const names = source.read('Gemfile.lock') ?? source.read('Gemfile') ?? '';
  if (/^\s*(rails \(|gem ['"]rails['"])/m.test(names))
    return { web: 'bundle exec rails server -b 0.0.0.0 -p $PORT -e production' };
  if (source.kind('config.ru') === 'file') return { web: 'bundle exec rackup config.ru --host 0.0.0.0 -p $PORT' };
  return {};
}

async function findInterpreter(context: BuildContext): Promise<Interpreter & { command: string }> {
  const { whichAll, placed, tool } = context;
  const found = ['ruby'].flatMap(whichAll);
  const first = found.find((path) => placed(path) !== undefined) ?? found[0];
  if (first === undefined)
    throw new UnikError('toolchain_missing', 'the application needs ruby, which is not installed: install ruby');
  const command = movableRuntime(context, first, found);
  const said = await tool(command, ['-e', DESCRIBE], { quiet: true });
  return { ...interpreterSchema.parse(JSON.parse(said)), command };
}

/** The gems of the Gemfile into a copy of the application; gives the copy. */
async function install(context: BuildContext, command: string, ruby: Interpreter): Promise<string> {
  const { source, copy, tool, progress } = context;
  if (!ruby.bundler)
    throw new UnikError('toolchain_missing', 'the Gemfile needs bundler, which is not installed: install ruby-bundler');
  const app = await copy();
  const isPacked = source.kind('vendor/cache') === 'folder';
  progress(`Gems: bundle install ${isPacked ? '--local, from vendor/cache' : ''}`.trim());
  const env = { ...settings(app, ruby.bundler.version, source), BUNDLE_SILENCE_ROOT_WARNING: 'true' };
  await tool(command, [ruby.bundler.program, 'install', '--quiet', '--jobs=2', ...(isPacked ? ['--local'] : [])], {
    cwd: app,
    env,
  });
  const gems = placeIn(app, ruby.api);
  await callRuby(join(gems, 'bin'));
  const names = existsSync(join(gems, 'gems')) ? readdirSync(join(gems, 'gems')) : [];
  progress(`Gems: ${names.map((name) => name.replace(/-(?=[^-]*$)/, ' ')).join(', ')}`);
  return app;
}

/**
 * Lets the gems' programs name their interpreter `ruby`, not `ruby3.1` as some distributions have it: only the former does
 * `bundle exec` load itself, and for the latter it would look for /usr/bin/env in the image.
 */
async function callRuby(folder: string): Promise<void> {
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const file = join(folder, name);
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(/^#!.*\bruby[\d.]*[ \t]*(?=\n)/, '#!/usr/bin/env ruby'));
  }
}

function extensionsIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.so'))
    .map((name) => join(folder, name));
}

/** Without folders that lie in another one of them. */
function outermost(dirs: readonly string[]): string[] {
  return dirs.filter((dir) => !dirs.some((other) => dir !== other && dir.startsWith(`${other}/`)));
}

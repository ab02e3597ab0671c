import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { UnikError } from '../../core/errors.js';
import type { Toolchain } from './toolchain.js';

const GO_ARCH = { x86_64: 'amd64', aarch64: 'arm64' } as const;

/** Go: every main package of the module, built statically into `bin`, as the Cloud Foundry buildpack does. */
export const goToolchain: Toolchain = {
  name: 'go',
  programs: [],
  detect: (source) => (source.kind('go.mod') === 'file' ? 'go.mod' : undefined),

  async build({ source, dir, arch, commands, which, tool, progress, copy }) {
    const go = which('go');
    if (go === undefined)
      throw new UnikError('toolchain_missing', 'the application has a go.mod and go is not installed');
    progress((await tool(go, ['version'], { quiet: true, cwd: dir })).trim());
    const app = await copy();
    const bin = join(app, 'bin');
    // Without paths, version control and the host's C library: the same source gives the same bytes.
    const options = ['-trimpath', '-buildvcs=false', '-ldflags=-s -w -buildid='];
    progress(`go build ./... ${source.kind('vendor') === 'folder' ? '(modules from vendor)' : ''}`.trim());
    await tool(go, ['build', ...options, '-o', `${bin}/`, './...'], {
      cwd: app,
      env: { CGO_ENABLED: '0', GOOS: 'linux', GOARCH: GO_ARCH[arch] },
    });
    const programs = programsIn(bin);
    const name = moduleName(source.read('go.mod') ?? '');
    const main = programs.length === 1 ? programs[0] : programs.find((program) => program === name);
    if (programs.length === 0) throw new UnikError('command_missing', 'the module has no main package');
    if (main === undefined && commands === undefined) {
      const list = programs.join(', ');
      throw new UnikError('command_missing', `the module has several programs (${list}) and no Procfile says which`);
    }
    progress(`Programs: ${programs.map((program) => `bin/${program}`).join(', ')}`);
    return {
      app,
      commands: main === undefined ? {} : { web: `./bin/${main}` },
      programs: {},
      path: ['bin'],
      elf: [],
      env: {},
      ignore: ['*.go', '/go.mod', '/go.sum', '/vendor/'],
      add: async () => undefined,
    };
  },
};

/** Last part of the module's path, without a major version: what `go install` would call the program. */
function moduleName(mod: string): string | undefined {
  const path = /^\s*module\s+"?([^\s"]+)/m.exec(mod)?.[1];
  return path?.replace(/\/v\d+$/, '').replace(/^.*\//, '');
}

function programsIn(bin: string): string[] {
  return readdirSync(bin).sort();
}

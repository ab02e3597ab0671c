import { expect, test } from '@jest/globals';
import { checkModules } from '../../../stager/foreign-modules.js';
import { failure } from '../../support/failure.js';

const app = '/home/vcap/app';
const at = (path: string, arch: 'x86_64' | 'aarch64' | 'other'): { place: string; arch: typeof arch } => ({
  place: `${app}/${path}`,
  arch,
});

test.each([
  ['nothing native', []],
  ['made for it', [at('node_modules/a/build/Release/a.node', 'aarch64')]],
  [
    'prebuilt for many in one package',
    [
      at('node_modules/a/prebuilds/linux-x64/a.node', 'x86_64'),
      at('node_modules/a/prebuilds/linux-arm64/a.node', 'aarch64'),
    ],
  ],
  [
    'one package for each processor',
    [
      at('node_modules/@img/sharp-linux-x64/lib/s.node', 'x86_64'),
      at('node_modules/@img/sharp-linuxmusl-x64/lib/s.node', 'x86_64'),
      at('node_modules/@img/sharp-linux-arm64/lib/s.node', 'aarch64'),
    ],
  ],
])('passes: %s', (_, modules) => {
  expect(() => checkModules(modules, 'aarch64')).not.toThrow();
});

test.each([
  ['compiled on the host', at('node_modules/a/build/Release/a.node', 'x86_64'), 'x86_64'],
  ['a package for one processor', at('node_modules/@img/sharp-linux-x64/lib/s.node', 'x86_64'), 'x86_64'],
  ['a wheel', at('.python_packages/markupsafe/_speedups.so', 'x86_64'), 'x86_64'],
  ['outside any package', at('lib/own.so', 'x86_64'), 'x86_64'],
  ['a processor we have no name for', at('node_modules/a/a.node', 'other'), 'another processor'],
])('refuses: %s', async (_, module, is) => {
  // What another package has does not help it.
  const modules = [at('node_modules/b/b.node', 'aarch64'), at('.python_packages/b/b.so', 'aarch64'), module];
  const { code, message } = await failure(() => checkModules(modules, 'aarch64'));
  expect(code).toBe('arch_mismatch');
  expect(message).toContain(`${module.place} is native code for ${is}`);
});

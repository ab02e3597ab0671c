import { describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Who may import whom (docs/architecture.md): a room, and the folders or files it may reach into besides its own. */
const ROOMS: Record<string, readonly string[] | 'anything'> = {
  core: [],
  executor: ['core'],
  stager: ['core', 'executor/images', 'executor/guests', 'executor/kernels', 'executor/model'],
  buildpack: [
    'core',
    'stager/arch',
    'stager/build',
    'stager/kernel-image',
    'stager/plan',
    'stager/source',
    'stager/supplied',
    'stager/suitability',
    'stager/actions/unpack',
    'stager/failure-note',
    'stager/toolchains',
    'executor/images',
    'executor/guests',
    'executor/model',
  ],
  backend: ['core', 'executor', 'stager', 'protos'],
  localcf: ['core', 'backend/wire', 'protos', 'stager'],
  cli: ['core', 'backend/api/schema'],
  bench: 'anything',
};
/** `main.ts` files construct things, so the command line's may start the daemon in its own process. */
const ALSO: Record<string, readonly string[]> = {
  'cli/main.ts': [
    'backend/main',
    'backend/cell/main',
    'backend/cell/operate',
    'backend/files/main',
    'backend/stager/main',
    'localcf/main',
  ],
};
/** The pure set: types and error codes of its own room, no machinery. */
const PURE = [
  'executor/lifecycle.ts',
  'executor/capacity.ts',
  'executor/instance-config.ts',
  'executor/images/expand.ts',
];

/** What providers stand on; all else in the executor stands on them. */
const FOR_PROVIDERS = /^executor\/(model|providers\/provider|guests\/linux\/control|(disks|remote)\/.*)\.js$/;

interface Import {
  from: string;
  to: string;
  typeOnly: boolean;
}

const sources = (room: string): string[] =>
  readdirSync(join(root, room), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));

export function importsOf(file: string, text: string): Import[] {
  const found = text.matchAll(/(?:^|\s)(import|export)\b(\s+type\b)?[^'"();]*?(?:\(\s*|from\s+|\s)['"]([^'"]+)['"]/g);
  return [...found].map(([, , type, to = '']) => ({ from: file, to, typeOnly: type !== undefined }));
}

/** Why an import is forbidden; undefined: it is not. */
export function fault({ from, to, typeOnly }: Import): string | undefined {
  if (!to.startsWith('.')) return undefined;
  if (!to.endsWith('.js')) return 'ends without .js';
  const target = join(dirname(from), to);
  const [room = ''] = from.split('/');
  const allowed = ROOMS[room];
  if (allowed === undefined) return `room ${room} is not in the table`;
  const provider = /^executor\/providers\/(\w+)\//;
  const [mine, theirs] = [provider.exec(from)?.[1], provider.exec(target)?.[1]];
  if (mine && theirs && mine !== theirs) return 'a provider imports its sibling';
  if (mine && !theirs && target.startsWith('executor/') && !typeOnly && !FOR_PROVIDERS.test(target)) {
    return 'a provider imports the machinery above it';
  }
  const pure = ['core/errors.ts', ...PURE];
  if (PURE.includes(from) && !typeOnly && !pure.includes(target.replace(/js$/, 'ts')))
    return 'the pure set imports machinery';
  if (allowed === 'anything' || target.startsWith(`${room}/`)) return undefined;
  const reach = [...allowed, ...(ALSO[from] ?? [])];
  const may = reach.some((place) => target === `${place}.js` || target.startsWith(`${place}/`));
  return may ? undefined : `room ${room} may not import it`;
}

describe('import rules', () => {
  const rooms = Object.keys(ROOMS).filter((room) => readdirSync(root).includes(room));

  test.each(rooms)('%s keeps them', (room) => {
    const files = sources(room);
    expect(files.length).toBeGreaterThan(0);
    const faults = files.flatMap((file) =>
      importsOf(file, readFileSync(join(root, file), 'utf8')).flatMap((found) => {
        const why = fault(found);
        return why ? [`${file} imports ${found.to}: ${why}`] : [];
      }),
    );
    expect(faults).toEqual([]);
  });

  test.each([
    ['core/a.ts', `import { x } from '../executor/model.js';`],
    ['executor/a.ts', `import type {\n  x,\n} from '../backend/config.js';`],
    ['executor/a.ts', `import { x } from './model';`],
    ['executor/providers/fake/a.ts', `import { x } from '../qemu/qmp.js';`],
    ['executor/providers/fake/a.ts', `import { x } from '../../runner.js';`],
    ['executor/lifecycle.ts', `import { x } from './records.js';`],
    ['stager/a.ts', `const x = await import('../executor/runner.js');`],
    ['cli/a.ts', `export * from '../backend/main.js';`],
  ])('a fault in %s would be found: %s', (file, text) => {
    const found = importsOf(file, text);
    expect(found).toHaveLength(1);
    expect(found.map(fault)).toEqual([expect.any(String)]);
  });
});

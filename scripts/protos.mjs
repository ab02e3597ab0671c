/**
 * `npm run protos`: makes protos/generated.ts of protos/*.proto: one JSON descriptor and the TypeScript shape of every
 * message as `backend/wire/codec.ts` gives and takes it. A unit test fails where the file is out of date.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import protobuf from 'protobufjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const SCALARS = {
  double: 'number',
  float: 'number',
  int32: 'number',
  uint32: 'number',
  int64: 'bigint',
  uint64: 'bigint',
  bool: 'boolean',
  string: 'string',
  bytes: 'Uint8Array',
};

/** The text of protos/generated.ts. */
export async function generate() {
  const folder = join(root, 'protos');
  const descriptor = new protobuf.Root();
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith('.proto'))
    .sort()) {
    protobuf.parse(readFileSync(join(folder, file), 'utf8'), descriptor, { keepCase: true });
  }
  descriptor.resolveAll();
  const types = [...messagesOf(descriptor)].sort((a, b) => (a.name < b.name ? -1 : 1));
  const text = [
    '// Made by `npm run protos` from protos/*.proto. Do not edit.',
    '/* eslint-disable */',
    ...types.map(shapeOf),
    'export interface Messages {',
    ...types.map((type) => `  ${JSON.stringify(type.fullName.slice(1))}: ${type.name};`),
    '}',
    `export const descriptor = ${JSON.stringify(descriptor.toJSON())};`,
    '',
  ].join('\n');
  const { format, resolveConfig } = await import('prettier');
  const path = join(folder, 'generated.ts');
  return { path, text: await format(text, { ...(await resolveConfig(path)), parser: 'typescript' }) };
}

function* messagesOf(namespace) {
  for (const child of namespace.nestedArray) {
    if (child instanceof protobuf.Type) yield child;
    if (child instanceof protobuf.Namespace) yield* messagesOf(child);
  }
}

function shapeOf(type) {
  const fields = type.fieldsArray.map((field) => {
    const value = valueOf(field);
    if (field.map) return `  ${field.name}: Record<string, ${value}>;`;
    if (field.repeated) return `  ${field.name}: ${value}[];`;
    const absent = field.partOf !== null || field.resolvedType instanceof protobuf.Type;
    return `  ${field.name}${absent ? '?' : ''}: ${value};`;
  });
  return `export interface ${type.name} {\n${fields.join('\n')}\n}`;
}

function valueOf(field) {
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Enum) {
    const names = Object.keys(resolvedType.values).map((name) => `'${name}'`);
    return field.repeated ? `(${names.join(' | ')})` : names.join(' | ');
  }
  const name = resolvedType ? resolvedType.name : SCALARS[field.type];
  if (!name) throw new Error(`${field.fullName}: no TypeScript type for ${field.type}`);
  return name;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { path, text } = await generate();
  writeFileSync(path, text);
  console.log(`${path}: ${text.length} bytes`);
}

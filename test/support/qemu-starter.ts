/** Started by the crash test, bundled to one file: starts the machines it is told to, and lives until it is killed. */
import { readFile } from 'node:fs/promises';
import type { MachineSpec } from '../../executor/providers/provider.js';
import { makeProvider } from './qemu-provider.js';

const [home = '', file = ''] = process.argv.slice(2);
const specs = JSON.parse(await readFile(file, 'utf8')) as MachineSpec[];
const provider = makeProvider(home);
console.log('starting');
await Promise.all(specs.map((spec) => provider.start(spec, new AbortController().signal)));
console.log('started');
setInterval(() => undefined, 1_000_000);

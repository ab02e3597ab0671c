/**
 * `npm run interop [-- GROUP]`: conformance and end-to-end tests against real peers. A group is a folder of test/interop.
 * `long` is what is too slow for CI and runs only when named.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findPeers } from './peers.mjs';
import { clearCases, printCases } from './provider-cases.mjs';
import { root, setup } from './setup.mjs';
import { Tally } from './steps.mjs';

// `peers` holds what the groups' peers are made from, no tests.
const groups = readdirSync(join(root, 'test/interop'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'peers')
  .map((entry) => entry.name);
// Each of its files brings networks and ports of its own.
const apart = ['providers'];
const asked = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const unknown = asked.filter((name) => !groups.includes(name));
if (unknown.length > 0) {
  console.error(`interop: no group ${unknown.join(', ')}; there are: ${groups.join(', ')}`);
  process.exit(2);
}
await setup({ test: true, interop: true });
findPeers();
const tally = new Tally();
clearCases();
for (const group of asked.length > 0 ? asked : groups.filter((name) => name !== 'long')) {
  const note = join(root, 'test/interop', group, 'README.md');
  if (existsSync(note)) console.log(readFileSync(note, 'utf8').split('\n')[0]);
  const workers = apart.includes(group) ? '--maxWorkers=2' : '--runInBand';
  await tally.jest(`interop ${group}`, [`interop/${group}`], [workers]);
}
printCases();
tally.close();

import { describe } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What `scripts/peers.mjs` found or built, by name: a program's path, or why there is none. */
export type PeerTable = Record<string, { path: string } | { why: string }>;

const TABLE = fileURLToPath(new URL('../../.assets/peers.json', import.meta.url));

function readTable(): PeerTable {
  return existsSync(TABLE) ? (JSON.parse(readFileSync(TABLE, 'utf8')) as PeerTable) : {};
}

/** Path of a real peer's program. Throws with the reason when it cannot be had on this machine. */
export function peer(name: string, table: PeerTable = readTable()): string {
  const entry = table[name] ?? { why: 'not looked for yet: run `node scripts/peers.mjs`' };
  if ('why' in entry) throw new Error(`peer ${name}: ${entry.why}`);
  return entry.path;
}

/** One line for each of the named peers that cannot be had. Empty: all are there. */
export function missingPeers(names: readonly string[], table: PeerTable = readTable()): string[] {
  return names.flatMap((name) => {
    const entry = table[name] ?? { why: 'not looked for yet: run `node scripts/peers.mjs`' };
    return 'why' in entry ? [`peer ${name}: ${entry.why}`] : [];
  });
}

/** `describe` for tests against real peers: where one is missing, prints why, and its tests count as skipped. */
export function describePeer(title: string, names: readonly string[], body: () => void): void {
  const missing = missingPeers(names);
  if (missing.length === 0) {
    describe(title, body);
    return;
  }
  process.stderr.write(missing.map((line) => `skipped: ${title}: ${line}\n`).join(''));
  describe.skip(title, body);
}

import { networkInterfaces } from 'node:os';
import { homeTag } from '../../executor/providers/qemu/host.js';
import { linkName } from '../../executor/providers/qemu/net/tap.js';

/** IPv4 addresses of this host that stay while a test runs: of links to machines, those of this home only. */
export function lastingAddresses(home = ''): string[] {
  const [ours, anybodys] = [linkName(homeTag(home), 0).slice(0, -1), 'uk'];
  return Object.entries(networkInterfaces())
    .filter(([name]) => name.startsWith(ours) || !name.startsWith(anybodys))
    .flatMap(([, all]) => all ?? [])
    .filter(({ family }) => family === 'IPv4')
    .map(({ address }) => address);
}

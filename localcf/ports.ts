/** Ports that stay the same over restarts: they stand in tasks under way, in the cells' configuration, in the user's shell. */
import { createServer } from 'node:net';
import { z } from 'zod';
import { readJsonFile, writeJsonFile } from '../core/json-file.js';

export type Ports = Record<string, number>;

/**
 * A port of each name: the one it had, else the wanted one, else any free one of its address, which `host` gives. Kept in
 * `file`. `wanted` of 0 is any. Those of `held` are in use by processes of ours.
 */
export async function openPorts(
  file: string,
  host: (name: string) => string,
  wanted: Ports,
  held: (name: string) => boolean = () => false,
): Promise<Ports> {
  const kept = z
    .record(z.string(), z.int())
    .catch({})
    .parse(await readJsonFile(file));
  const ports: Ports = {};
  for (const [name, wish] of Object.entries(wanted)) {
    const tries = [kept[name], wish].filter((port): port is number => port !== undefined && port > 0);
    let found = held(name) ? kept[name] : undefined;
    const isGiven = (port: number): boolean =>
      Object.entries(ports).some(([other, given]) => given === port && meet(host(other), host(name)));
    for (const port of tries) if (!isGiven(port)) found ??= await free(host(name), port);
    found ??= await free(host(name), 0);
    ports[name] = found ?? 0;
  }
  if (JSON.stringify(kept) !== JSON.stringify(ports)) await writeJsonFile(file, ports);
  return ports;
}

const meet = (one: string, other: string): boolean =>
  one === other || [one, other].some((host) => host === '0.0.0.0' || host === '::');

/** The port, where it can be had; for 0 any that can. */
function free(host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      const got = typeof address === 'object' && address !== null ? address.port : undefined;
      server.close(() => resolve(got));
    });
  });
}

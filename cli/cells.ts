/** The machines of this host's own cells (`unik up`), by the admin doors of the cells. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { z } from 'zod';
import { hasCode, messageOf, UnikError } from '../core/errors.js';
import { readJsonFile } from '../core/json-file.js';
import { readIdentity } from '../core/tls.js';

const cellSchema = z.object({
  cell_id: z.string(),
  admin_addr: z.string(),
  tls: z.object({ ca_file: z.string(), cert_file: z.string(), key_file: z.string() }),
});
type Cell = z.output<typeof cellSchema>;

const replySchema = z.object({
  instances: z.array(
    z.object({
      guid: z.string(),
      kind: z.enum(['lrp', 'task']),
      app: z.string().nullable(),
      index: z.number().optional(),
      state: z.string(),
      memory_mb: z.number(),
    }),
  ),
});

export interface CellInstance {
  guid: string;
  /** `APP/INDEX`, or the guid of a task. */
  name: string;
  state: string;
  memory_mb: number;
  cell: string;
}

const PATIENCE_MS = 5_000;

/** Of all cells that answer. Empty where there are none. */
export async function cellInstances(home: string): Promise<CellInstance[]> {
  const all = await Promise.all((await cellsOf(home)).map(instancesOf));
  return all.flat();
}

/** Cuts the power of the machine that `ref` names: a guid, the beginning of one, or `APP/INDEX`. False: none is named so. */
export async function cutCellInstance(home: string, ref: string): Promise<boolean> {
  const cells = await cellsOf(home);
  for (const cell of cells) {
    const found = (await instancesOf(cell)).filter(({ guid, name }) => name === ref || isBeginning(ref, guid));
    const [one, other] = found;
    if (!one) continue;
    if (other) throw new UnikError('name_ambiguous', `${ref} stands for ${found.length} instances`);
    await call(cell, 'DELETE', `/instances/${one.guid}`);
    return true;
  }
  return false;
}

const isBeginning = (ref: string, guid: string): boolean => ref.length >= 4 && guid.startsWith(ref);

async function cellsOf(home: string): Promise<Cell[]> {
  const folder = join(home, 'cf/cells');
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return [];
    throw err;
  }
  const files = await Promise.all(names.map((name) => readJsonFile(join(folder, name, 'cell.json'))));
  return files.flatMap((file) => (file === undefined ? [] : [cellSchema.parse(file)]));
}

async function instancesOf(cell: Cell): Promise<CellInstance[]> {
  const text = await call(cell, 'GET', '/instances').catch((err: unknown) => {
    // It does not run: then it holds nothing that could be told.
    if (err instanceof UnikError && err.code === 'peer_unreachable') return undefined;
    throw err;
  });
  if (text === undefined) return [];
  return replySchema.parse(JSON.parse(text)).instances.map(({ guid, app, index, state, memory_mb }) => ({
    ...{ guid, state, memory_mb, cell: cell.cell_id },
    name: app !== null && index !== undefined ? `${app}/${index}` : guid,
  }));
}

async function call({ cell_id, admin_addr, tls }: Cell, method: 'GET' | 'DELETE', path: string): Promise<string> {
  const { ca, cert, key } = await readIdentity(tls, `cell ${cell_id}`);
  const agent = new Agent({ connect: { ca, cert, key } });
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const { statusCode, body } = await request(`https://${admin_addr}${path}`, {
      method,
      dispatcher: agent,
      signal,
    }).catch((err: unknown) => {
      throw new UnikError('peer_unreachable', `cell ${cell_id}: ${messageOf(err)}`, { cause: err });
    });
    const text = await body.text();
    if (statusCode >= 400) throw new UnikError('conflict', `cell ${cell_id}: ${text}`);
    return text;
  } finally {
    await agent.close();
  }
}

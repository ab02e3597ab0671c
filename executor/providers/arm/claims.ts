import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readJsonFile, writeJsonFile } from '../../../core/json-file.js';
import type { Key, Owner } from '../../model.js';

/** Who has a board, and how far it is: `claim.json` in the board's folder. What was published holds the secrets, not this. */
const claimSchema = z.object({
  board: z.string(),
  owner: z.string(),
  key: z.string(),
  /** `published`: it may boot it. `loaded`: it has fetched all. `ended`: it runs nothing of ours any more. */
  state: z.enum(['published', 'loaded', 'ended']),
  /** Where the machine's words begin in the console's file. */
  console_from: z.number().int().default(0),
});
export type Claim = z.infer<typeof claimSchema>;

/** A board that cannot be used until somebody, or its own restart, has seen to it. */
const troubleSchema = z.object({ reason: z.string() });

/** The state of the inventory on this host. One process at a time looks after it. */
export class Claims {
  constructor(private readonly dir: string) {}

  folder(board: string): string {
    return join(this.dir, board);
  }

  async all(): Promise<Claim[]> {
    const boards = await readdir(this.dir).catch(() => []);
    const claims = await Promise.all(boards.map((board) => this.of(board)));
    return claims.filter((claim) => claim !== undefined);
  }

  async of(board: string): Promise<Claim | undefined> {
    const read = await readJsonFile(join(this.folder(board), 'claim.json'));
    return read === undefined ? undefined : claimSchema.parse(read);
  }

  async find({ owner, key }: { owner: Owner; key: Key }): Promise<Claim | undefined> {
    return (await this.all()).find((claim) => claim.owner === owner && claim.key === key);
  }

  save(claim: Claim): Promise<void> {
    return writeJsonFile(join(this.folder(claim.board), 'claim.json'), claim);
  }

  /** With the claim goes what it let us in by. */
  async release(board: string): Promise<void> {
    for (const name of ['door', 'claim.json']) await rm(join(this.folder(board), name), { force: true });
  }

  /** The token of the guest's door. */
  async saveDoor(board: string, token: string): Promise<void> {
    await writeFile(join(this.folder(board), 'door'), token, { mode: 0o600 });
  }

  /** Empty: there is none. */
  door(board: string): Promise<string> {
    return readFile(join(this.folder(board), 'door'), 'utf8').catch(() => '');
  }

  /** Why the board is not to be used. */
  async trouble(board: string): Promise<string | undefined> {
    const read = troubleSchema.safeParse(await readJsonFile(join(this.folder(board), 'trouble.json')));
    return read.success ? read.data.reason : undefined;
  }

  async noteTrouble(board: string, reason: string | undefined): Promise<void> {
    const path = join(this.folder(board), 'trouble.json');
    if (reason === undefined) await rm(path, { force: true });
    else await writeJsonFile(path, { reason });
  }
}

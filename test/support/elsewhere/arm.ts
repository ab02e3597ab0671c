import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../../core/errors.js';
import { Boards, whyNoBoards } from '../boards.js';
import { root } from '../unik.js';
import type { ElsewhereRow } from './elsewhere.js';

/** Boards that boot from the network: QEMU's, with Debian's u-boot. As many as the contract has at once. */
export const arm: ElsewhereRow = {
  provider: 'arm',
  peers: [],
  arch: 'aarch64',
  lacks: whyNoBoards,
  // The page of `samples/hello` is made by busybox, which is there for the processor of the stager alone.
  app: { folder: join(root, 'test/fixtures/apps/static'), page: /static says hello/, said: /GET \/ 200 OK/ },
  async open() {
    const boards = await Boards.open(4);
    const left = async (home: string): Promise<string[]> => {
      // Where folders vanish while it is read, what is left is not known yet.
      const files = await readdir(home, { recursive: true }).catch((err: unknown) => [`unknown: ${messageOf(err)}`]);
      const made = files.filter((name) => /^unknown|claim\.json|door$|console$|record\.json|vmlinuz|initrd/.test(name));
      return [...made, ...boards.on.map((id) => `power of ${id}`)];
    };
    return {
      options: boards.settings({ load_timeout_s: 300 }),
      cell: { memory_mb: 4_096, containers: 3 },
      living: () => boards.on,
      lose: (id) => boards.powerOff(id),
      machines: left,
      left,
      secrets: [],
      close: () => boards.close(),
    };
  },
};

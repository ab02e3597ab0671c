import { makeUnik, type Unik } from '../unik.js';
import { startRealDiego, type RealDiego } from '../diego/real.js';
import { behaveDroplet, serveBlobs, type Blobs } from './bits.js';
import { startCell, type Cell } from './cell.js';
import { controlOf, type Control } from './control.js';
import type { Droplet } from './desired.js';

/** What tests of a cell under the real Diego stand on. */
export interface Ground {
  diego: RealDiego;
  /** The cell's home. */
  unik: Unik;
  blobs: Blobs;
  /** `behave`, which does what it is asked by HTTP. */
  droplet: Droplet;
  /** The one that is closed with the rest; a test may put another in its place. */
  cell: Cell;
  control: Control;
  close(): Promise<void>;
}

/** The real control plane, one cell `cell-a` with real machines, and a droplet for them; about 20 s. */
export async function layGround(): Promise<Ground> {
  const unik = await makeUnik();
  const blobs = await serveBlobs();
  const droplet = blobs.add('behave.tgz', await behaveDroplet(unik));
  await unik(['down']);
  const diego = await startRealDiego();
  const control = await controlOf(diego);
  const cell = await startCell({ diego, home: unik.home, cell_id: 'cell-a' });
  const ground: Ground = {
    ...{ diego, unik, blobs, droplet, cell, control },
    async close() {
      await ground.cell.close();
      await control.close();
      await diego.close();
      blobs.close();
      await unik.close();
    },
  };
  return ground;
}

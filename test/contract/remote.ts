import { rm } from 'node:fs/promises';
import type { RemoteProvider } from '../../executor/remote/remote.js';
import type { Ground } from '../support/elsewhere/ground.js';
import { remoteHome, remoteSpec } from '../support/remote.js';
import { providerContract } from './provider.js';

interface Case {
  name: string;
  ground: Readonly<Ground>;
  /** The provider over a home, made anew as after our restart. */
  make: (home: string) => RemoteProvider;
  patience_ms?: number;
}

/** The suite that every provider passes, for one of machines elsewhere. */
export function remoteContract({ name, ground, make, patience_ms = 120_000 }: Case): void {
  providerContract(
    name,
    async () => {
      const home = await remoteHome(ground.bench);
      let provider = make(home);
      return {
        provider,
        makeSpec: (kind, who) => remoteSpec(ground.bench, kind, who),
        reopen() {
          provider.close();
          provider = make(home);
          return provider;
        },
        leftovers: () => ground.there.machines(home),
        async close() {
          provider.close();
          await rm(home, { recursive: true, force: true });
        },
      };
    },
    patience_ms,
  );
}

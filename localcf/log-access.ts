/** Whose logs and metrics a token may read: of apps in spaces that it sees. */
import { Access, type Caller } from './cc/access.js';
import type { Store } from './cc/store.js';

const ALL = 'doppler.firehose';

export function logAccess(
  store: Store,
  authenticate: (authorization: string | undefined) => Promise<Caller | undefined>,
): (authorization: string | undefined, source_id: string) => Promise<boolean> {
  return async (authorization, source_id) => {
    const caller = await authenticate(authorization);
    if (!caller) return false;
    const access = new Access(store, caller);
    if (access.admin || caller.scopes.has(ALL)) return true;
    const space = store.app.get(source_id)?.space_guid ?? store.service_instance.get(source_id)?.space_guid;
    return space !== undefined && access.seesSpace(space);
  };
}

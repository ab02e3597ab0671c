import type { Cc } from '../cc.js';
import { found, get, type Route } from '../http.js';
import type { Job } from '../model.js';
import { resource } from '../present.js';

/** The CLI asks again only after 3 s: what ends within this time is told ended at its first question. */
const PATIENCE_MS = 2_500;

export function jobRoutes(cc: Cc): Route[] {
  const present = (row: Job): object => ({
    ...resource(cc, row, `/v3/jobs/${row.guid}`),
    operation: row.operation,
    state: row.state,
    errors: row.errors,
    warnings: row.warnings,
  });
  return [
    get('/v3/jobs/:guid', async ({ params }) => {
      const { guid = '' } = params;
      found(cc.store.job.get(guid), 'Job');
      await cc.jobs.ended(guid, PATIENCE_MS);
      return present(found(cc.store.job.get(guid), 'Job'));
    }),
  ];
}

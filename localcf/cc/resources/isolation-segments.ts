/** Isolation segments as rows: cells of this platform carry no placement tags, so that only `shared` is served. */
import { z } from 'zod';
import type { Cc } from '../cc.js';
import { invalid } from '../errors.js';
import { created, del, found, get, noContent, patch, post, type Call, type Route } from '../http.js';
import { by, byAny, list } from '../list.js';
import { mergeMetadata, metadataSchema } from '../metadata.js';
import { noMetadata, type IsolationSegment } from '../model.js';
import { link, resource, toMany } from '../present.js';
import { presentOrg } from './orgs.js';

const createSchema = z.strictObject({ name: z.string().min(1), metadata: metadataSchema.optional() });
const manySchema = z.strictObject({ data: z.array(z.strictObject({ guid: z.string() })) });

export function isolationSegmentRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const present = (row: IsolationSegment): object => ({
    ...resource(cc, row, `/v3/isolation_segments/${row.guid}`, {
      organizations: `/v3/isolation_segments/${row.guid}/organizations`,
    }),
    name: row.name,
    metadata: row.metadata,
  });
  const sees = ({ access }: Call, row: IsolationSegment): boolean =>
    access.admin || row.org_guids.some((guid) => access.seesOrg(guid));
  const one = (call: Call): IsolationSegment => {
    const row = store.isolation_segment.get(call.params['guid'] ?? '');
    return found(row && sees(call, row) ? row : undefined, 'Isolation segment');
  };
  const free = (name: string, own?: string): void => {
    if (store.isolation_segment.find((row) => row.name.toLowerCase() === name.toLowerCase() && row.guid !== own))
      throw invalid('Isolation Segment names are case insensitive and must be unique');
  };

  return [
    get('/v3/isolation_segments', (call) =>
      list(
        call,
        store.isolation_segment.filter((row) => sees(call, row)),
        {
          filters: { names: by(({ name }) => name), organization_guids: byAny(({ org_guids }) => org_guids) },
          order: { name: ({ name }) => name },
          present,
        },
      ),
    ),
    post('/v3/isolation_segments', (call) => {
      call.access.toAdmin();
      const { name, metadata } = call.parse(createSchema);
      free(name);
      const row = store.change((tx) =>
        tx.insert('isolation_segment', { name, org_guids: [], metadata: mergeMetadata(noMetadata(), metadata) }),
      );
      return created(present(row));
    }),
    get('/v3/isolation_segments/:guid', (call) => present(one(call))),
    patch('/v3/isolation_segments/:guid', (call) => {
      const row = one(call);
      call.access.toAdmin();
      const { name, metadata } = call.parse(createSchema.partial());
      if (name !== undefined) free(name, row.guid);
      const patched = { ...(name !== undefined && { name }), metadata: mergeMetadata(row.metadata, metadata) };
      return present(store.change((tx) => tx.update('isolation_segment', row.guid, patched)));
    }),
    del('/v3/isolation_segments/:guid', (call) => {
      const row = one(call);
      call.access.toAdmin();
      if (row.org_guids.length > 0) throw invalid('Revoke the Organization entitlements for your Isolation Segment.');
      store.change((tx) => tx.remove('isolation_segment', row.guid));
      return noContent();
    }),
    get('/v3/isolation_segments/:guid/organizations', (call) => {
      const { org_guids } = one(call);
      const orgs = store.org.filter(({ guid }) => org_guids.includes(guid) && call.access.seesOrg(guid));
      return list(call, orgs, { filters: { names: by(({ name }) => name) }, present: (row) => presentOrg(cc, row) });
    }),
    post('/v3/isolation_segments/:guid/relationships/organizations', (call) => {
      const row = one(call);
      call.access.toAdmin();
      const guids = call.parse(manySchema).data.map(({ guid }) => call.access.org(guid).guid);
      const org_guids = [...new Set([...row.org_guids, ...guids])];
      store.change((tx) => tx.update('isolation_segment', row.guid, { org_guids }));
      return { ...toMany(org_guids), links: { self: link(cc, call.url) } };
    }),
    del('/v3/isolation_segments/:guid/relationships/organizations/:org_guid', (call) => {
      const row = one(call);
      call.access.toAdmin();
      const org_guids = row.org_guids.filter((guid) => guid !== call.params['org_guid']);
      store.change((tx) => tx.update('isolation_segment', row.guid, { org_guids }));
      return noContent();
    }),
  ];
}

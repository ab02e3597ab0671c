import { z } from 'zod';
import type { Cc } from '../cc.js';
import { invalid, notFound } from '../errors.js';
import { get, patch, type Route } from '../http.js';
import type { Strings } from '../model.js';
import { link } from '../present.js';
import type { Store } from '../store.js';

const NAMES = ['running', 'staging'] as const;
const schema = z.strictObject({ var: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]).nullable()) });

/** Variables of all apps while they run or are staged. */
export const envGroup = (store: Store, name: (typeof NAMES)[number]): Strings => store.env_group.get(name)?.var ?? {};

export function envGroupRoutes(cc: Cc): Route[] {
  const { store } = cc;
  const nameOf = (name: string | undefined): (typeof NAMES)[number] => {
    const known = NAMES.find((one) => one === name);
    if (!known) throw notFound('Environment variable group');
    return known;
  };
  const present = (name: (typeof NAMES)[number]): object => ({
    updated_at: store.env_group.get(name)?.updated_at ?? null,
    name,
    var: envGroup(store, name),
    links: { self: link(cc, `/v3/environment_variable_groups/${name}`) },
  });

  return [
    get('/v3/environment_variable_groups/:name', ({ params }) => present(nameOf(params['name']))),
    patch('/v3/environment_variable_groups/:name', (call) => {
      const name = nameOf(call.params['name']);
      call.access.toAdmin();
      const changes = Object.entries(call.parse(schema).var);
      const reserved = changes.find(([key]) => key === 'PORT' || /^(VCAP_|VMC)/.test(key));
      if (reserved) throw invalid(`${reserved[0]} cannot be set: it is the platform's`);
      const kept = new Map<string, string>(Object.entries(envGroup(store, name)));
      for (const [key, value] of changes)
        if (value === null) kept.delete(key);
        else kept.set(key, String(value));
      const all = Object.fromEntries(kept);
      store.change((tx) =>
        store.env_group.get(name)
          ? tx.update('env_group', name, { var: all })
          : tx.insert('env_group', { guid: name, var: all }),
      );
      return present(name);
    }),
  ];
}

/** What all resources have in common when they are shown. */
import type { Cc } from './cc.js';
import type { Base } from './model.js';

/** guid, times and links; `links` are paths beside `self`. */
export function resource(cc: Cc, row: Base, self: string, links: Record<string, string> = {}): object {
  const { guid, created_at, updated_at } = row;
  const all = Object.entries({ self, ...links }).map(([name, path]) => [name, link(cc, path)]);
  return { guid, created_at, updated_at, links: Object.fromEntries(all) as object };
}

export const link = (cc: Cc, path: string): { href: string } => ({ href: `${cc.config.api_url}${path}` });

/** `{data: {guid}}`, or `{data: null}`. */
export const toOne = (guid: string | null): { data: { guid: string } | null } => ({
  data: guid === null ? null : { guid },
});
export const toMany = (guids: readonly string[]): { data: { guid: string }[] } => ({
  data: guids.map((guid) => ({ guid })),
});

/** Labels and annotations: the rules of their keys, and how a PATCH merges. Source: CC's metadata_validator_helper.rb. */
import { z } from 'zod';
import type { Metadata, Strings } from './model.js';

const NAME = /^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/;
const DOMAIN = /^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$/;

/** Why a key is refused; undefined: it is fine. */
export function keyFault(key: string): string | undefined {
  const parts = key.split('/');
  const name = parts.at(-1) ?? '';
  if (parts.length > 2) return `key has more than one '/'`;
  if (parts.length === 2) {
    const [prefix = ''] = parts;
    if (!DOMAIN.test(prefix)) return `prefix '${prefix}' must be in valid dns format`;
    if (prefix.length > 253) return `prefix '${prefix.slice(0, 8)}...' is greater than 253 characters`;
    if (prefix.toLowerCase() === 'cloudfoundry.org') return `prefix 'cloudfoundry.org' is reserved`;
  }
  if (name === '') return 'key cannot be empty string';
  if (name.length > 63) return `'${name.slice(0, 8)}...' is greater than 63 characters`;
  return NAME.test(name)
    ? undefined
    : `'${name}' starts or ends with invalid characters, or contains invalid characters`;
}

const valueFault = (value: string): string | undefined => {
  if (value.length > 63) return `'${value.slice(0, 8)}...' is greater than 63 characters`;
  return value === '' || NAME.test(value) ? undefined : `'${value}' contains invalid characters`;
};

const entries = (what: 'label' | 'annotation') =>
  z.record(z.string(), z.string().nullable()).superRefine((all, context) => {
    const refuse = (message: string): void => context.addIssue({ code: 'custom', message });
    for (const [key, value] of Object.entries(all)) {
      const fault = keyFault(key);
      if (fault !== undefined) refuse(`Metadata ${what} key error: ${fault}`);
      const bad = what === 'label' && value !== null ? valueFault(value) : undefined;
      if (bad !== undefined) refuse(`Metadata label value error: ${bad}`);
      if (what === 'annotation' && (value?.length ?? 0) > 5000)
        refuse(`Metadata annotation value error: '${value?.slice(0, 8)}...' is greater than 5000 characters`);
    }
  });

export const metadataSchema = z.strictObject({
  labels: entries('label').optional(),
  annotations: entries('annotation').optional(),
});
export type MetadataPatch = z.output<typeof metadataSchema>;

/** Null takes a key away. */
export function mergeMetadata(before: Metadata, patch: MetadataPatch | undefined): Metadata {
  return { labels: merge(before.labels, patch?.labels), annotations: merge(before.annotations, patch?.annotations) };
}

function merge(before: Strings, patch: Record<string, string | null> = {}): Strings {
  const all = Object.entries({ ...before, ...patch });
  return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== null));
}

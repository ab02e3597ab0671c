import type { Tag } from '@aws-sdk/client-ec2';
import type { Owner } from '../../model.js';

/** What everything of ours at EC2 is found by: owner and key are there, not only with us. */
export const TAGS = { owner: 'unik:owner', key: 'unik:key', disk: 'unik:disk' } as const;

export function ownTags(owner: Owner, further: Record<string, string>): Tag[] {
  return [...Object.entries(further).map(([Key, Value]) => ({ Key, Value })), { Key: TAGS.owner, Value: owner }];
}

export function tagOf(tags: readonly Tag[] | undefined, key: string): string | undefined {
  return tags?.find((tag) => tag.Key === key)?.Value;
}

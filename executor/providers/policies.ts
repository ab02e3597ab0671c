import type { Owner, ProviderName } from '../model.js';
import { awsPolicy } from './aws/policy.js';
import { vspherePolicy } from './vsphere/policy.js';

/** The least rights that a cell needs of each provider that gives rights; told whether it is configured or not. */
export const policies: { [N in ProviderName]?: (owner: Owner) => Record<string, unknown> } = {
  aws: awsPolicy,
  vsphere: vspherePolicy,
};

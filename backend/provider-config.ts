import { z } from 'zod';
import { PROVIDERS } from '../executor/model.js';
import { awsConfigSchema } from '../executor/providers/aws/config.js';
import { virtualboxConfigSchema } from '../executor/providers/virtualbox/config.js';
import { vsphereConfigSchema } from '../executor/providers/vsphere/config.js';

const PHOTON = 'photon was retired by its vendor and is not offered: use vsphere, which runs on the same hosts';

/** A provider's name, as people write it. */
export const providerName = z.enum(PROVIDERS, {
  error: (issue) => (issue.input === 'photon' ? PHOTON : undefined),
});

/** `provider_options` of a daemon or cell: what each provider is told. */
export const providerOptions = z
  .strictObject({
    aws: awsConfigSchema.optional(),
    virtualbox: virtualboxConfigSchema.optional(),
    vsphere: vsphereConfigSchema.optional(),
  })
  .default({});

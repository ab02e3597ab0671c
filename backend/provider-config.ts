import { z } from 'zod';
import { PROVIDERS } from '../executor/model.js';
import { elsewhere } from '../executor/providers/index.js';

const PHOTON = 'photon was retired by its vendor and is not offered: use vsphere, which runs on the same hosts';

/** A provider's name, as people write it. */
export const providerName = z.enum(PROVIDERS, {
  error: (issue) => (issue.input === 'photon' ? PHOTON : undefined),
});

type Shape = { [N in keyof typeof elsewhere]: z.ZodOptional<(typeof elsewhere)[N]['schema']> };

/** `provider_options` of a daemon or cell: what each provider is told. */
export const providerOptions = z
  .strictObject(
    Object.fromEntries(Object.entries(elsewhere).map(([name, { schema }]) => [name, schema.optional()])) as Shape,
  )
  .default({});

/** What we read of Cloud Controller's v3 answers. More may be there; less is a fault of the other side. */
import { z } from 'zod';

const metadata = z
  .looseObject({
    labels: z.record(z.string(), z.string().nullable()).default({}),
    annotations: z.record(z.string(), z.string().nullable()).default({}),
  })
  .prefault({});

export const app = z.looseObject({
  guid: z.string(),
  name: z.string(),
  state: z.string(),
  lifecycle: z.looseObject({
    type: z.string(),
    data: z
      .looseObject({ stack: z.string().nullish(), buildpacks: z.array(z.string()).nullish() })
      .nullish()
      .transform((data) => data ?? {}),
  }),
  metadata,
});
export type App = z.infer<typeof app>;

export const stack = z.looseObject({
  guid: z.string(),
  name: z.string(),
  /** Cloud Controllers of 2020 and older do not say it. */
  default: z.boolean().nullish(),
  metadata,
});
export type Stack = z.infer<typeof stack>;

export const appPackage = z.looseObject({ guid: z.string(), state: z.string(), type: z.string() });
export type Package = z.infer<typeof appPackage>;

export const droplet = z.looseObject({
  guid: z.string(),
  state: z.string(),
  stack: z.string().nullish(),
  buildpacks: z
    .array(z.looseObject({ name: z.string().nullish(), version: z.string().nullish() }))
    .nullish()
    .transform((rows) => rows ?? []),
});
export type Droplet = z.infer<typeof droplet>;

export const buildpack = z.looseObject({ name: z.string(), stack: z.string().nullish() });
export type Buildpack = z.infer<typeof buildpack>;

export const stats = z.looseObject({
  resources: z.array(z.looseObject({ index: z.number(), state: z.string(), instance_guid: z.string().nullish() })),
});

export const variables = z.looseObject({ var: z.record(z.string(), z.string()) });

export const rootDocument = z.looseObject({
  links: z.looseObject({ log_cache: z.looseObject({ href: z.string() }).nullish() }),
});

export const failure = z.looseObject({
  errors: z.array(z.looseObject({ detail: z.string(), title: z.string().default(''), code: z.number().default(0) })),
});

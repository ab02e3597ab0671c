import { z } from 'zod';

/** Addresses for machines, as an operator gives them. */
export const addressPoolSchema = z.strictObject({
  subnet: z.cidrv4(),
  first: z.ipv4(),
  last: z.ipv4(),
  gateway: z.ipv4().optional(),
  dns: z.array(z.ipv4()).default([]),
});

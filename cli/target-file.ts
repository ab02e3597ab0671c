import { z } from 'zod';

/** `unik target` keeps this in the home. Paths, never the token itself. */
export const targetFileSchema = z.strictObject({
  host: z.string(),
  ca_file: z.string().optional(),
  token_file: z.string().optional(),
});
export type TargetFile = z.infer<typeof targetFileSchema>;

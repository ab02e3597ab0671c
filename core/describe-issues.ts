import type { z } from 'zod';

/** `ports.0.guest_port: Too big...; body: Unrecognized key: "nam"`: names each field, never its value. */
export function describeIssues(error: z.ZodError, where: string): string {
  return error.issues.map((issue) => `${issue.path.join('.') || where}: ${issue.message}`).join('; ');
}

import { parse } from 'yaml';
import { z } from 'zod';
import { messageOf, UnikError } from '../../core/errors.js';

/** A process type that a buildpack names. */
export interface LaunchProcess {
  type: string;
  command: string;
  /** Process types that it runs beside; empty: it is a process of its own. */
  sidecarFor: string[];
  memory_mb?: number;
}

const launchSchema = z.looseObject({
  processes: z
    .array(
      z.looseObject({
        type: z.string(),
        command: z.string(),
        platforms: z
          .looseObject({ cloudfoundry: z.looseObject({ sidecar_for: z.array(z.string()).nullish() }).nullish() })
          .nullish(),
        limits: z.looseObject({ memory: z.number().nullish() }).nullish(),
      }),
    )
    .nullish(),
});
const releaseSchema = z.looseObject({ default_process_types: z.record(z.string(), z.string()).nullish() }).nullish();
const configSchema = z.looseObject({ name: z.unknown().optional(), version: z.unknown().optional() }).nullish();

/** `launch.yml` of a deps folder. Throws buildpack_failed. */
export function readLaunch(text: string): LaunchProcess[] {
  const { processes } = read(launchSchema, text, 'launch.yml');
  return (processes ?? []).map(({ type, command, platforms, limits }) => ({
    type,
    command,
    sidecarFor: platforms?.cloudfoundry?.sidecar_for ?? [],
    ...(typeof limits?.memory === 'number' ? { memory_mb: limits.memory } : {}),
  }));
}

/** Process types that `bin/release` prints. Throws buildpack_failed. */
export function readRelease(text: string): Record<string, string> {
  return read(releaseSchema, text, 'the output of bin/release')?.default_process_types ?? {};
}

/** Name and version of a buildpack from `config.yml` of its deps folder; what is no text is left out. */
export function readConfig(text: string): { name?: string; version?: string } {
  const { name, version } = read(configSchema, text, 'config.yml') ?? {};
  return {
    ...(typeof name === 'string' ? { name } : {}),
    ...(typeof version === 'string' || typeof version === 'number' ? { version: String(version) } : {}),
  };
}

function read<T>(schema: z.ZodType<T>, text: string, what: string): T {
  try {
    return schema.parse(parse(text));
  } catch (err) {
    const why = err instanceof z.ZodError ? z.prettifyError(err) : messageOf(err);
    throw new UnikError('buildpack_failed', `${what} of the buildpack cannot be read: ${why}`, { cause: err });
  }
}

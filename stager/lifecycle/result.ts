import type { LaunchProcess } from './documents.js';

/** A buildpack that took part, for the result. */
export interface UsedBuildpack {
  /** Name in Cloud Controller, or the URL. */
  key: string;
  name: string;
  version?: string;
}

/** What Cloud Controller reads after staging (its schema: lifecycle_type, lifecycle_metadata, process_types, ...). */
export interface StagingResult {
  execution_metadata: string;
  lifecycle_type: 'buildpack';
  lifecycle_metadata: { buildpack_key: string; detected_buildpack: string; buildpacks: UsedBuildpack[] };
  process_types: Record<string, string>;
  processes: { type: string; command: string }[];
  sidecars: { name: string; command: string; process_types: string[]; memory?: number }[] | null;
}

/**
 * Puts together what the buildpacks say: process types of launch.yml, else of bin/release; lines of a Procfile that is
 * still there go before both. Source: buildpackapplifecycle, buildpackrunner.
 */
export function stagingResult(parts: {
  launch: readonly LaunchProcess[];
  release: Readonly<Record<string, string>>;
  procfile: Readonly<Record<string, string>>;
  detected: string;
  buildpacks: readonly UsedBuildpack[];
}): StagingResult {
  const own = parts.launch.filter(({ sidecarFor }) => sidecarFor.length === 0);
  const sidecars = parts.launch
    .filter(({ sidecarFor }) => sidecarFor.length > 0)
    .map(({ type, command, sidecarFor, memory_mb }) => ({
      name: type,
      command,
      process_types: sidecarFor,
      ...(memory_mb === undefined ? {} : { memory: memory_mb }),
    }));
  const process_types = {
    ...(own.length > 0 ? Object.fromEntries(own.map(({ type, command }) => [type, command])) : parts.release),
    ...parts.procfile,
  };
  return {
    execution_metadata: '',
    lifecycle_type: 'buildpack',
    lifecycle_metadata: {
      buildpack_key: parts.buildpacks.at(-1)?.key ?? '',
      detected_buildpack: parts.detected,
      buildpacks: [...parts.buildpacks],
    },
    process_types,
    processes: Object.entries(process_types).map(([type, command]) => ({ type, command })),
    sidecars: sidecars.length === 0 ? null : sidecars,
  };
}

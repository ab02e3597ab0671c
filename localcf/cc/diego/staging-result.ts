/** What became of a staging task, in Cloud Controller's words (`staging_completion_handler.rb`, `failure_reason_sanitizer.rb`). Pure. */
import { z } from 'zod';
import { CF_ERRORS, itemOf, type CfErrorName } from '../errors.js';
import { whyIn } from './why.js';
import type { DropletBuildpack } from '../model.js';

/** As the BBS tells it. */
export const callbackSchema = z.looseObject({
  task_guid: z.string(),
  failed: z.boolean().default(false),
  failure_reason: z.string().default(''),
  result: z.string().default(''),
});
export type Callback = z.output<typeof callbackSchema>;

const resultSchema = z.looseObject({
  execution_metadata: z.string(),
  lifecycle_type: z.literal('buildpack'),
  lifecycle_metadata: z.looseObject({
    detected_buildpack: z.string(),
    buildpack_key: z.string().optional(),
    buildpacks: z
      .array(z.looseObject({ key: z.string(), name: z.string().optional(), version: z.string().optional() }))
      .nullish(),
  }),
  process_types: z.record(z.string(), z.string()).nullable(),
  sidecars: z
    .array(
      z.looseObject({
        name: z.string(),
        command: z.string(),
        process_types: z.array(z.string()),
        memory: z.number().nullish(),
      }),
    )
    .nullish(),
});

export interface Staged {
  execution_metadata: string;
  process_types: Record<string, string>;
  buildpacks: DropletBuildpack[];
  sidecars: { name: string; command: string; process_types: string[]; memory: number | null }[];
}

export type Outcome = { staged: Staged } | { error: string };

/** `NoAppDetectedError - An app was not ...`: what `build.error` says. `why` is what the builder itself last said. */
export function stagingError(name: CfErrorName, detail = '', why?: string): string {
  const { detail: text } = itemOf(name, detail);
  return `${name} - ${text}${why === undefined ? '' : `: ${why}`}`;
}

export interface OutcomeOptions {
  /** The app has a start command of its own. */
  has_command: boolean;
  /** The droplet has arrived. */
  has_droplet: boolean;
  /** The last thing the builder said on its way out, for the developer. */
  why?: string | undefined;
}

export function outcomeOf(callback: Callback, { has_command, has_droplet, why }: OutcomeOptions): Outcome {
  if (callback.failed) return { error: failureError(callback.failure_reason, why) };
  const result = parse(callback.result);
  if (!result) return { error: stagingError('StagingError', 'Malformed message from Diego stager') };
  const process_types = result.process_types ?? {};
  if (process_types['web'] === undefined && !has_command) {
    return { error: stagingError('StagingError', 'Start command not specified') };
  }
  if (!has_droplet) return { error: stagingError('StagingError', 'no droplet') };
  const { detected_buildpack, buildpacks } = result.lifecycle_metadata;
  const used = buildpacks ?? [];
  return {
    staged: {
      execution_metadata: result.execution_metadata,
      process_types,
      buildpacks: used.map(({ key, name, version }, at) => ({
        name: key,
        detect_output: at === used.length - 1 ? detected_buildpack : null,
        buildpack_name: name ?? null,
        version: version ?? null,
      })),
      sidecars: (result.sidecars ?? []).map(({ name, command, process_types: types, memory }) => ({
        ...{ name, command, process_types: types, memory: memory ?? null },
      })),
    },
  };
}

const BY_STATUS: readonly [suffix: string, name: CfErrorName][] = [
  ['222', 'NoAppDetectedError'],
  ['223', 'BuildpackCompileFailed'],
  ['224', 'BuildpackReleaseFailed'],
];

const FULL = 'insufficient resources';

export function failureError(reason: string, logged?: string): string {
  const why = whyIn(reason) ?? logged;
  const known = BY_STATUS.find(([suffix]) => reason.endsWith(suffix));
  if (known) return stagingError(known[1], '', why);
  if (reason.startsWith(FULL))
    return `InsufficientResources - ${CF_ERRORS.InsufficientResources[2]}${reason.slice(FULL.length)}`;
  if (reason.startsWith('found no compatible cell')) return stagingError('NoCompatibleCell', reason);
  if (reason === 'unable to communicate to compatible cells') return stagingError('StagerUnavailable', reason);
  if (reason === 'task was cancelled') return stagingError('StagingError', 'staging was cancelled');
  return stagingError('StagingError', 'staging failed', why ?? reason);
}

function parse(text: string): z.output<typeof resultSchema> | undefined {
  try {
    return resultSchema.parse(JSON.parse(text));
  } catch {
    // Whatever is wrong with it, it is told as one thing.
    return undefined;
  }
}

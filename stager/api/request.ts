import { z } from 'zod';

/**
 * What Cloud Controller sends to have an application staged (StagingRequestFromCC of its stager; the last contract,
 * cloudfoundry/stager, and `staging_request.rb`). A member of a later version is let through.
 */
export const requestSchema = z.looseObject({
  app_id: z.string().default(''),
  file_descriptors: z.number().int().default(0),
  memory_mb: z.number().int().default(0),
  disk_mb: z.number().int().default(0),
  environment: z.array(z.looseObject({ name: z.string(), value: z.string() })).nullish(),
  egress_rules: z.array(z.record(z.string(), z.unknown())).nullish(),
  /** Seconds. */
  timeout: z.number().int().default(0),
  log_guid: z.string().default(''),
  lifecycle: z.string().default(''),
  lifecycle_data: z.unknown().optional(),
  completion_callback: z.string().default(''),
  isolation_segment: z.string().nullish(),
});
export type StagingRequest = z.output<typeof requestSchema>;

const checksum = z.looseObject({ type: z.string(), value: z.string() }).nullish();

/** Of the lifecycle `buildpack`. */
export const buildpackDataSchema = z.looseObject({
  app_bits_download_uri: z.string().default(''),
  app_bits_checksum: checksum,
  build_artifacts_cache_download_uri: z.string().nullish(),
  build_artifacts_cache_upload_uri: z.string().default(''),
  buildpack_cache_checksum: z.string().nullish(),
  droplet_upload_uri: z.string().default(''),
  buildpacks: z
    .array(
      z.looseObject({
        /** `custom`: its key is a URL, from which the builder gets it. */
        name: z.string().default(''),
        key: z.string().default(''),
        url: z.string().default(''),
        skip_detect: z.boolean().nullish(),
        sha256: z.string().nullish(),
      }),
    )
    .nullish(),
  stack: z.string().default(''),
});
export type BuildpackData = z.output<typeof buildpackDataSchema>;

/** What BBS tells when a task has ended (bbs `models/task.go` TaskCallbackResponse). */
export const taskEndSchema = z.looseObject({
  task_guid: z.string(),
  failed: z.boolean(),
  failure_reason: z.string().default(''),
  result: z.string().default(''),
  annotation: z.string().default(''),
});

/** What we note in the task, for its end. */
export const annotationSchema = z.looseObject({
  lifecycle: z.string(),
  completion_callback: z.string().default(''),
});
export type StagingAnnotation = z.output<typeof annotationSchema>;

/** Errors as the Cloud Controller words them: `{errors: [{code, title, detail}]}`. Source: its errors/v2.yml, v3.yml. */
import type { CfErrorItem } from './model.js';

/** Name: number, HTTP status, text; `%s` stand for what is given. The title is `CF-` and the name. */
export const CF_ERRORS = {
  InvalidAuthToken: [1000, 401, 'Invalid Auth Token'],
  NotAuthenticated: [10002, 401, 'Authentication error'],
  NotAuthorized: [10003, 403, 'You are not authorized to perform the requested action'],
  OrgSuspended: [10003, 403, 'The organization is suspended'],
  MessageParseError: [1001, 400, 'Request invalid due to parse error: %s'],
  NotFound: [10000, 404, 'Unknown request'],
  ResourceNotFound: [10010, 404, '%s'],
  BadQueryParameter: [10005, 400, 'The query parameter is invalid: %s'],
  BadRequest: [10013, 400, '%s'],
  UnprocessableEntity: [10008, 422, '%s'],
  UniquenessError: [10016, 422, '%s'],
  UploadTooLarge: [160001, 413, 'The upload is larger than %s'],
  AppBitsUploadInvalid: [160001, 400, 'The app upload is invalid: %s'],
  AppPackageInvalid: [150001, 400, 'The app package is invalid: %s'],
  PackageBitsAlreadyUploaded: [
    150004,
    400,
    'Bits may be uploaded only once. Create a new package to upload different bits.',
  ],
  InvalidRequest: [10004, 400, 'The request is invalid: %s'],
  NoAppDetectedError: [170003, 400, 'An app was not successfully detected by any available buildpack'],
  BuildpackCompileFailed: [170004, 400, 'App staging failed in the buildpack compile phase'],
  BuildpackReleaseFailed: [170005, 400, 'App staging failed in the buildpack release phase'],
  NoBuildpacksFound: [170006, 400, 'There are no buildpacks available'],
  StagingTimeExpired: [170007, 504, 'Staging time expired: %s'],
  InsufficientResources: [170008, 400, 'Insufficient resources'],
  StagerUnavailable: [170010, 503, 'Stager is unavailable: %s'],
  StagerError: [170011, 500, 'Stager error: %s'],
  NoCompatibleCell: [170014, 500, 'Found no compatible cell: %s'],
  StagingError: [170001, 400, 'Staging error: %s'],
  RunnerUnavailable: [170015, 503, 'Runner is unavailable: %s'],
  StagingInProgress: [170017, 422, 'Only one build can be STAGING at a time per application.'],
  RunnerError: [170019, 500, 'Runner error: %s'],
  TaskWorkersUnavailable: [170020, 503, 'Task workers are unavailable: %s'],
  InvalidTaskAddress: [170013, 400, 'Invalid config: %s'],
  InstancesError: [220001, 400, 'Instances error: %s'],
  InstancesUnavailable: [220002, 503, 'Instances information unavailable: %s'],
  StackNotFound: [250003, 404, 'The stack could not be found: %s'],
  BuildpackBitsUploadInvalid: [290002, 400, 'The buildpack upload is invalid: %s'],
  BuildpackInvalid: [290003, 400, 'Buildpack is invalid: %s'],
  CustomBuildpacksDisabled: [290004, 400, 'Custom buildpacks are disabled'],
  BuildpackLocked: [290005, 409, 'The buildpack is locked'],
  DockerDisabled: [320003, 400, 'Docker support has not been enabled.'],
  FeatureFlagNotFound: [330000, 404, 'The feature flag could not be found: %s'],
  FeatureDisabled: [330002, 403, 'Feature Disabled: %s'],
  TaskError: [390001, 400, 'Task error: %s'],
  NotStaged: [170002, 400, 'App has not finished staging'],
  ServerError: [10001, 500, 'An unknown error occurred.'],
  ServiceUnavailable: [10015, 503, 'The service is currently unavailable: %s'],
  /** Ours: what this Cloud Controller does not do, told as such. */
  NotImplemented: [10099, 501, '%s'],
} as const satisfies Record<string, readonly [number, number, string]>;

export type CfErrorName = keyof typeof CF_ERRORS;

/** One or several failures of a call; the status is that of the first. */
export class CfError extends Error {
  override readonly name = 'CfError';
  constructor(
    readonly status: number,
    readonly errors: readonly CfErrorItem[],
  ) {
    super(errors.map(({ detail }) => detail).join(', '));
  }
}

export function itemOf(name: CfErrorName, detail = ''): CfErrorItem {
  const [code, , text] = CF_ERRORS[name];
  return { code, title: `CF-${name}`, detail: text.replace('%s', () => detail) };
}

/** `throw cfError('UniquenessError', "App with the name 'x' already exists.")` */
export const cfError = (name: CfErrorName, detail = ''): CfError =>
  new CfError(CF_ERRORS[name][1], [itemOf(name, detail)]);

/** 404 as CC says it: `App not found`. The CLI compares the exact words. */
export const notFound = (what: string): CfError => cfError('ResourceNotFound', `${what} not found`);

/** 422 with one entry for each text. */
export const invalid = (...details: string[]): CfError =>
  new CfError(
    422,
    details.map((detail) => itemOf('UnprocessableEntity', detail)),
  );

/** Exit statuses by which Cloud Controller tells what failed (buildpackapplifecycle, buildpackrunner). */
export const EXIT = { detect: 222, compile: 223, release: 224, supply: 225, finalize: 226 } as const;

/** A step of staging that failed: the line for the log, and the builder's exit status. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed';
  constructor(
    message: string,
    readonly status: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

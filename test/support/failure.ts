import { UnikError } from '../../core/errors.js';

/** The UnikError that `run` ends with; throws when it ends otherwise. */
export async function failure(run: () => unknown): Promise<UnikError> {
  try {
    await run();
  } catch (err) {
    if (err instanceof UnikError) return err;
    throw err;
  }
  throw new Error('nothing was refused');
}

import type { UnikError } from '../../core/errors.js';

/** Why a step failed, in Diego's words. Without a text it was called off, which is not shown to anybody. */
export interface Failure {
  text?: string;
  /** Ours, where we know more. */
  why?: UnikError;
}

/** One action, ready to be carried out. Never rejects; undefined: it succeeded. */
export type Step = (signal: AbortSignal) => Promise<Failure | undefined>;

export const CANCELLED: Failure = {};

/** What several steps failed of, in Diego's form; undefined when none did. */
export function joinFailures(ends: readonly (Failure | undefined)[]): Failure | undefined {
  const failures = ends.filter((end) => end !== undefined);
  if (failures.length === 0) return undefined;
  const texts = failures.flatMap(({ text }) => (text === undefined ? [] : [text]));
  const why = failures.find((failure) => failure.why !== undefined)?.why;
  return texts.length === 0 ? CANCELLED : { text: texts.join('; '), ...(why ? { why } : {}) };
}

/** Asked again after a wait: a check at the start says nothing about now. */
export const isOver = (signal: AbortSignal): boolean => signal.aborted;

import { messageOf, UnikError } from '../../core/errors.js';
import { byteSize } from '../../core/go-format.js';

/** What Diego's download and upload steps write into the log (executor `depot/steps`). */
export const downloading = (artifact: string): string => `Downloading ${artifact}...`;
export const downloaded = (artifact: string, bytes: number): string => `Downloaded ${artifact} (${byteSize(bytes)})`;
export const downloadFailed = (artifact: string): string => `Downloading ${artifact} failed`;
export const uploading = (artifact: string): string => `Uploading ${artifact}...`;
export const uploaded = (artifact: string, bytes: number): string => `Uploaded ${artifact} (${byteSize(bytes)})`;
export const uploadFailed = (artifact: string): string => `Failed to upload payload for ${artifact}`;

/** Beside Diego's own words, since Cloud Controller shows its users nothing of a failure but the log. */
export function explain(err: unknown): string[] {
  return err instanceof UnikError ? [`${err.message} (${err.code})`, `fix: ${err.hint}`] : [messageOf(err)];
}

/** The part of a step's failure that is ours to tell. */
export function whyOf(err: unknown): { why?: UnikError } {
  return err instanceof UnikError ? { why: err } : {};
}

/** What is wrong with an action, in the BBS's words (bbs models/actions.go); empty: nothing. */
import type { Messages } from '../../../protos/generated.js';
import type { Action } from '../model.js';

export const invalid = (field: string): string => `Invalid field: ${field}`;
export const INVALID_ACTION = 'invalid action type';

/** `[wrong, field]` pairs to the texts of those that are. */
export const faults = (...checks: [wrong: boolean, field: string][]): string[] =>
  checks.flatMap(([wrong, field]) => (wrong ? [invalid(field)] : []));

const CHECKSUMS = ['md5', 'sha1', 'sha256'];

export function checksumFaults(algorithm: string, value: string): string[] {
  return faults(
    [value !== '' && algorithm === '', 'checksum algorithm'],
    [value === '' && algorithm !== '', 'checksum value'],
    [value !== '' && algorithm !== '' && !CHECKSUMS.includes(algorithm.toLowerCase()), 'invalid algorithm'],
  );
}

export function actionFaults(action: Action): string[] {
  const { download_action, upload_action, run_action, timeout_action, emit_progress_action, try_action } = action;
  if (download_action) {
    const { from, to, user, checksum_algorithm, checksum_value } = download_action;
    const own = faults([from === '', 'from'], [to === '', 'to'], [user === '', 'user']);
    return [...own, ...checksumFaults(checksum_algorithm, checksum_value)];
  }
  if (upload_action) {
    const { from, to, user } = upload_action;
    return faults([to === '', 'to'], [from === '', 'from'], [user === '', 'user']);
  }
  if (run_action) return faults([run_action.path === '', 'path'], [run_action.user === '', 'user']);
  if (timeout_action) return [...inner(timeout_action), ...faults([timeout_action.timeout_ms <= 0n, 'timeout_ms'])];
  if (emit_progress_action) return inner(emit_progress_action);
  if (try_action) return inner(try_action);
  const several = action.parallel_action ?? action.serial_action ?? action.codependent_action;
  if (!several) return [invalid('inner-action')];
  return several.actions.length === 0 ? [invalid('actions')] : several.actions.flatMap(actionFaults);
}

const inner = ({ action }: Pick<Messages['models.TryAction'], 'action'>): string[] =>
  action ? actionFaults(action) : [invalid('action')];

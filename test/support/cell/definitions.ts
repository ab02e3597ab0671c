import { decode, encode, type Sent } from '../../../backend/wire/codec.js';
import type { DesiredLRP, TaskDefinition } from '../../../protos/generated.js';

/** An LRP as the BBS would give it: over the wire and back, so that every field is there. */
export function aDesiredLrp(change: Sent<DesiredLRP> = {}): DesiredLRP {
  const run = { path: '/bin/app', args: ['serve'], user: 'vcap', log_source: 'APP/PROC/WEB' };
  return decode(
    'models.DesiredLRP',
    encode('models.DesiredLRP', {
      process_guid: 'process',
      domain: 'test',
      root_fs: 'preloaded:unik',
      log_source: 'CELL',
      action: { run_action: run },
      ...change,
    }),
  );
}

export function aTaskDefinition(change: Sent<TaskDefinition> = {}): TaskDefinition {
  return decode(
    'models.TaskDefinition',
    encode('models.TaskDefinition', {
      root_fs: 'preloaded:unik',
      log_source: 'CELL',
      action: { run_action: { path: '/bin/task', user: 'vcap' } },
      ...change,
    }),
  );
}

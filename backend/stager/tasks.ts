import type { StagingTasks } from '../../stager/api/app.js';
import { DOMAIN } from '../../stager/api/task.js';
import { BbsError, type Bbs, type RequestOf } from '../wire/bbs.js';

/** The staging tasks of a BBS. */
export function bbsTasks(bbs: Bbs): StagingTasks {
  return {
    async desire(task_guid, definition) {
      // Rules come from Cloud Controller as the BBS takes them; the BBS looks at each.
      const task_definition = definition as RequestOf<'desire_task'>['task_definition'];
      try {
        await bbs.call('desire_task', { task_guid, domain: DOMAIN, task_definition });
      } catch (err) {
        if (!(err instanceof BbsError) || err.type !== 'ResourceExists') throw err;
      }
    },
    async annotation(task_guid) {
      try {
        const { task } = await bbs.call('task', { task_guid });
        return task?.task_definition?.annotation ?? '';
      } catch (err) {
        if (err instanceof BbsError && err.type === 'ResourceNotFound') return undefined;
        throw err;
      }
    },
    async cancel(task_guid) {
      await bbs.call('cancel_task', { task_guid });
    },
  };
}

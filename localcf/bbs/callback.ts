/** Tells a task's client how it ended (bbs taskworkpool/taskcallback.go). */
import { Agent } from 'undici';
import type { Identity } from '../../backend/wire/bbs.js';
import type { Task } from './model.js';
import type { Policy } from './rules/policy.js';

export interface CallbackClient {
  /** True: told, or refused for good, so that the task may go. */
  tell(task: Task): Promise<boolean>;
  close(): Promise<void>;
}

export function createCallbacks(tls: Identity, policy: Policy, timeout_ms: number): CallbackClient {
  const agent = new Agent({ connect: { ...tls, timeout: timeout_ms } });
  return {
    async tell(task) {
      const url = new URL(task.task_definition?.completion_callback_url ?? '');
      for (let attempt = 0; attempt < policy.callbackTries; attempt++) {
        const limit = AbortSignal.timeout(timeout_ms);
        try {
          const { statusCode, body } = await agent.request({
            ...{ origin: url.origin, path: url.pathname + url.search, method: 'POST' },
            headers: { 'content-type': 'application/json' },
            ...{ body: callbackBody(task), signal: limit },
          });
          await body.dump();
          if (!policy.callbackRetries(statusCode)) return true;
        } catch (err) {
          // Only what took too long is tried again at once.
          if (!limit.aborted) throw err;
        }
      }
      return false;
    },
    close: () => agent.destroy(),
  };
}

/** `created_at` in nanoseconds is beyond what JSON numbers of JavaScript hold. */
export function callbackBody({ task_guid, failed, failure_reason, result, task_definition, created_at }: Task): string {
  const annotation = task_definition?.annotation;
  const fields = { task_guid, failed, failure_reason, result, ...(annotation && { annotation }) };
  return `${JSON.stringify(fields).slice(0, -1)},"created_at":${created_at}}`;
}

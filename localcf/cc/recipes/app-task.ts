/** `cf run-task` as the task that Cloud Controller sends (`task_recipe_builder.rb build_app_task`). Pure. */
import type { Sent } from '../../../backend/wire/codec.js';
import type { TaskDefinition } from '../../../protos/generated.js';
import { taskEnv } from './environment.js';
import { DEFAULT_PORT, MAX_PIDS, NOFILE, type Places, type TaskFacts } from './facts.js';
import * as parts from './parts.js';

export const TASKS_DOMAIN = 'cf-tasks';

export function appTask(facts: TaskFacts, places: Places): Sent<TaskDefinition> {
  const { app, task, droplet, stack } = facts;
  const stackName = app.lifecycle.type === 'docker' ? null : app.lifecycle.data.stack;
  const port = String(DEFAULT_PORT);
  return {
    root_fs: parts.rootfsOf(stack, stackName, 'run'),
    environment_variables: parts.LANG,
    ...{ memory_mb: task.memory_in_mb, disk_mb: task.disk_in_mb, max_pids: MAX_PIDS, privileged: false },
    cpu_weight: parts.cpuWeight(task.memory_in_mb),
    log_rate_limit: { bytes_per_second: BigInt(task.log_rate_limit_in_bytes_per_second) },
    ...{ log_guid: app.guid, metrics_guid: app.guid, log_source: 'CELL' },
    metric_tags: {
      ...parts.appTags(facts),
      process_id: { static: task.guid },
      process_type: { static: 'task' },
      process_instance_id: { dynamic: 'INSTANCE_GUID' },
      instance_id: { dynamic: 'INDEX' },
    },
    completion_callback_url: places.task_done(task.guid),
    egress_rules: parts.egressRules(facts.security_groups),
    cached_dependencies: [parts.lifecycleDependency(stackName ?? '', places.lifecycle)],
    legacy_download_user: parts.USER,
    trusted_system_certificates_path: parts.CERTIFICATES_DIR,
    network: parts.networkOf(facts, 'task', []),
    certificate_properties: parts.certificateOf(facts),
    placement_tags: facts.isolation_segment === null ? [] : [facts.isolation_segment],
    action: parts.serial(parts.download('droplet', '.', places.droplet(app.guid, droplet)), {
      run_action: {
        path: `${parts.LIFECYCLE_DIR}/launcher`,
        args: ['app', task.command, ''],
        user: task.user ?? parts.USER,
        log_source: `APP/TASK/${task.name}`,
        env: parts.envOf({
          ...{ PORT: port, VCAP_APP_PORT: port, VCAP_APP_HOST: '0.0.0.0' },
          ...taskEnv(facts, places.api_url),
        }),
        resource_limits: { nofile: BigInt(NOFILE) },
      },
    }),
  };
}

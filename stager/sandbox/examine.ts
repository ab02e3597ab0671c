import { messageOf } from '../../core/errors.js';
import type { Controller, GroupPlan } from './groups.js';
import type { Finding, Sandbox, SandboxJob, SandboxNetwork } from './sandbox.js';

/** What `unik doctor` says of the sandbox: found out by running something in it. */
export async function examine(sandbox: Sandbox, plan: GroupPlan, root: boolean): Promise<Finding[]> {
  const confined = await tried(
    sandbox,
    'staging sandbox',
    { kind: 'off' },
    {
      ok: `bubblewrap, system call filter, ${root ? 'an account for each job' : 'your own account in a user namespace'}`,
      fix: 'apt-get install bubblewrap; sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000',
    },
  );
  const online = await tried(
    sandbox,
    'staging network',
    { kind: 'filtered', deny: [] },
    {
      ok: 'slirp4netns and nftables rules of its own; the host, link-local and ranges you list are out of reach',
      fix: 'apt-get install slirp4netns nftables iproute2',
    },
  );
  return [confined, online, limitsFinding(plan)];
}

/** Who keeps which limit. */
export function limitsFinding(plan: GroupPlan): Finding {
  const names = { memory: 'memory', pids: 'processes' } as const;
  const parts = (['memory', 'pids'] as const).map((controller: Controller) => {
    const parent = plan[controller];
    const by = parent
      ? `control groups v${parent.version}`
      : `a watcher (${plan.why[controller] ?? 'no control group'})`;
    return `${names[controller]} by ${by}`;
  });
  const detail = `${parts.join('; ')}; disk by a watcher and file size; time and output by us`;
  if (plan.memory && plan.pids) return { name: 'staging limits', status: 'ok', detail };
  const fix = 'Name a control group that is handed over (systemd: Delegate=yes) in the configuration';
  return { name: 'staging limits', status: 'warning', detail, fix };
}

async function tried(
  sandbox: Sandbox,
  name: string,
  network: SandboxNetwork,
  { ok, fix }: { ok: string; fix: string },
): Promise<Finding> {
  const words: Uint8Array[] = [];
  const job: SandboxJob = {
    id: `doctor-${process.pid}-${network.kind}`,
    argv: ['/bin/sh', '-c', 'exit 0'],
    env: {},
    cwd: '/',
    mounts: [],
    limits: { memory_mb: 64, pids: 16, wall_ms: 10_000, disk_mb: 1, output_bytes: 4096, nofile: 64 },
    network,
    output: (_stream, bytes) => void words.push(bytes),
  };
  try {
    const end = await sandbox.run(job, AbortSignal.timeout(TRY_MS));
    if (end.code === 0) return { name, status: 'ok', detail: ok };
    const said = Buffer.concat(words).toString('utf8').trim();
    return { name, status: 'error', detail: said || end.message, fix };
  } catch (err) {
    return { name, status: 'error', detail: messageOf(err), fix };
  }
}

const TRY_MS = 20_000;

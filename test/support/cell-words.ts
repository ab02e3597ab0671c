import type { Words } from '../../backend/cell/store/words.js';

/** Short words for tests that look at when something is said, not at how. */
export const plainWords: Words = {
  outcome: ({ exit, stopped, timed_out }) => ({
    failed: !stopped,
    reason: timed_out ? 'timed out' : `${exit.reason} ${exit.code ?? '?'}`,
    retryable: exit.reason === 'boot_failed',
    ...(exit.result && 'content' in exit.result ? { result: exit.result.content } : {}),
  }),
  instanceEnv: (_order, { address, ports, instance_address }) => ({
    CF_INSTANCE_IP: address,
    CF_INSTANCE_INTERNAL_IP: instance_address,
    CF_INSTANCE_PORTS: JSON.stringify(ports),
  }),
  creating: () => 'creating',
  created: () => 'created',
  failedToCreate: (_guid, why) => `failed to create: ${why}`,
  downloading: (artifact) => `downloading ${artifact}`,
  downloaded: (artifact) => `downloaded ${artifact}`,
  monitoring: 'monitoring',
  readinessMonitoring: 'readiness monitoring',
  healthy: 'healthy',
  ready: 'ready',
  notReady: 'not ready',
  unhealthy: 'unhealthy',
  neverHealthy: (after_ms) => `never healthy after ${after_ms}`,
  checkFailure: ({ exit }) => exit.check?.failure.message,
  exitStatus: ({ exit }) => (exit.code === undefined ? undefined : `exit status ${exit.code}`),
  stopping: () => 'stopping',
  destroying: () => 'destroying',
  destroyed: () => 'destroyed',
  failedToDestroy: () => 'failed to destroy',
  stoppedBeforeRunning: 'stopped-before-running',
  expired: 'expired container',
};

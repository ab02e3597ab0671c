/**
 * Fires at SIGINT or SIGTERM. What waits listens to it, so that a benchmark that is told to end takes its machines
 * away first, as after a failure.
 */
const told = new AbortController();
export const interrupted = told.signal;

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    process.exitCode = 1;
    told.abort(new Error(`ended by ${signal}`));
  });
}

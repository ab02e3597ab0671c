const SSH_PORT = 2222;

/**
 * Ports to publish, each once. Cloud Controller adds 2222 for its SSH server, which a unikernel does not run: nobody
 * would ever listen there.
 */
export function publishedPorts(ports: readonly number[], ssh: boolean): number[] {
  return [...new Set(ports)].filter((port) => !(ssh && port === SSH_PORT));
}

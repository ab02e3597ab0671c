import { serveIngress, type IngressServer } from '../../../localcf/logcache/ingress.js';
import { createAgent, type Agent, type Envelope } from '../../../backend/wire/loggregator.js';
import type { Identity } from '../../../backend/wire/bbs.js';
import { makeAuthority, makeLeaf } from '../diego/certs.js';
import { freePorts } from '../diego/children.js';

/** An agent that counts, on one port for all its lives. */
export interface TestAgent {
  readonly taken: Envelope[];
  readonly tls: Identity;
  /** `host:port`. */
  readonly address: string;
  /** A pair of another authority. */
  readonly stranger: Identity;
  client(tls?: Identity): Agent;
  /** Nothing where it runs. */
  start(): Promise<void>;
  stop(): void;
  /** Payloads of log lines, of one source. */
  lines(source_id?: string): string[];
}

/** Not started yet. */
export async function makeAgent(): Promise<TestAgent> {
  const [ca, other] = await Promise.all([makeAuthority(), makeAuthority('another CA')]);
  const [pair, strange] = await Promise.all([makeLeaf(ca, { names: ['metron'] }), makeLeaf(other)]);
  const [port = 0] = await freePorts(1);
  const taken: Envelope[] = [];
  let server: IngressServer | undefined;
  const agent: TestAgent = {
    taken,
    address: `127.0.0.1:${port}`,
    tls: { ca: ca.cert, ...pair },
    stranger: { ca: ca.cert, ...strange },
    client: (tls = agent.tls) => createAgent(`127.0.0.1:${port}`, tls, 'metron'),
    start: async () => {
      server ??= await serveIngress({
        tls: agent.tls,
        port,
        take: (envelopes) => void taken.push(...envelopes),
      });
    },
    stop: () => {
      server?.close();
      server = undefined;
    },
    lines: (source_id) =>
      taken
        .filter((envelope) => envelope.log && (source_id === undefined || envelope.source_id === source_id))
        .map((envelope) => Buffer.from(envelope.log?.payload ?? []).toString()),
  };
  return agent;
}

/** Settled when `done` gives true; throws after `timeout_ms`. */
export async function until(done: () => boolean, timeout_ms = 10_000): Promise<void> {
  const deadline = Date.now() + timeout_ms;
  while (!done()) {
    if (Date.now() > deadline) throw new Error(`did not come true within ${timeout_ms} ms: ${String(done)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

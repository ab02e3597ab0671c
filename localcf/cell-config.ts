/** The configuration of a cell of this machine. `manifests/cell.example.json` shows what each key means. */
import type { IdentityFiles } from '../core/tls.js';
import type { Ports } from './ports.js';

export interface CellConfigFacts {
  name: string;
  ports: Ports;
  files: IdentityFiles;
  stacks: readonly string[];
  bbs_url: string;
  locket_address: string;
  /** `host:port` of the agent that takes logs. */
  agent: string;
  /** Towards it, where they are others. */
  agent_files?: IdentityFiles | undefined;
  /** Cells share the memory of the host. */
  memory_mb: number;
  /** Where routers listen; undefined: nobody does. */
  nats?: object | undefined;
  log_level: string;
  /** The operator's, laid over it. */
  over: Readonly<Record<string, unknown>>;
}

const HOST = '127.0.0.1';

export function cellConfig(facts: CellConfigFacts): object {
  const { name, ports, files, stacks, bbs_url, locket_address, agent, agent_files, memory_mb, nats, log_level, over } =
    facts;
  return {
    ...{ cell_id: name, deployment: 'local', zone: 'z1', external_address: HOST },
    listen_addr: `${HOST}:${ports[`${name}.rep`] ?? 0}`,
    admin_addr: `${HOST}:${ports[`${name}.admin`] ?? 0}`,
    tls: files,
    bbs: { url: bbs_url },
    locket: { address: locket_address },
    loggregator: { address: agent, ...agent_files },
    ...{ stacks, provider: 'qemu', memory_mb },
    // A platform of one machine that waits for half a minute looks broken.
    ...{ polling_interval: '10s', retry_interval: '2s' },
    ...{ staging: {}, log_level },
    ...(nats ? { routes: { emitter: 'builtin', nats } } : {}),
    ...over,
  };
}

/** Both doors of a cell over fake containers, and requests to them with a certificate of choice. */
import { request as https, type RequestOptions } from 'node:https';
import { readFile } from 'node:fs/promises';
import { noLog } from '../../../core/log.js';
import { readIdentity, type TlsIdentity } from '../../../core/tls.js';
import type { CellFacts, Face, Sample } from '../../../backend/rep/face.js';
import { ADMIN_ROUTES, NETWORK_ROUTES, serve, type Patience, type Served } from '../../../backend/rep/server.js';
import type { CertFiles, Pair } from '../diego/certs.js';
import { FakeContainers } from './fake-containers.js';

export const FACTS: CellFacts = {
  ...{ cell_id: 'cell-a', rep_url: 'https://127.0.0.1:1801', zone: 'z1', stacks: ['unik', 'mystack'] },
  ...{ placement_tags: [], optional_placement_tags: ['tag-1'] },
};

/** Short enough to be waited for. */
const PATIENCE: Patience = { header_ms: 500, request_ms: 1_000 };

export interface Doors {
  face: Face;
  containers: FakeContainers;
  /** Guids that were to be looked at, with their trace. */
  hints: [guid: string, trace: string][];
  samples: Sample[];
  evacuating: boolean;
  network: Served;
  admin: Served;
  close(): Promise<void>;
}

export async function openDoors(certs: CertFiles, patience: Patience = PATIENCE): Promise<Doors> {
  const tls = await readIdentity({ ca_file: certs.ca, cert_file: certs.cert, key_file: certs.key }, 'tls');
  const containers = new FakeContainers();
  let made = 0;
  const doors = { containers, hints: [] as [string, string][], samples: [] as Sample[], evacuating: false };
  const face: Face = {
    ...{ facts: FACTS, containers, log: noLog },
    isEvacuating: () => doors.evacuating,
    evacuate: () => void (doors.evacuating = true),
    hint: (guid, trace) => void doors.hints.push([guid, trace]),
    newGuid: () => `guid-${++made}`,
    samples: () => doors.samples,
  };
  const at = { face, tls, host: '127.0.0.1', port: 0, patience };
  const [network, admin] = await Promise.all([
    serve({ ...at, routes: NETWORK_ROUTES }),
    serve({ ...at, routes: ADMIN_ROUTES }),
  ]);
  const close = async (): Promise<void> => {
    await Promise.all([network.close(), admin.close()]);
  };
  return Object.assign(doors, { face, network, admin, close });
}

export async function clientOf(ca: string, pair: Pair | undefined): Promise<Partial<TlsIdentity>> {
  const text = (path: string) => readFile(path, 'utf8');
  return { ca: await text(ca), ...(pair ? { cert: await text(pair.cert), key: await text(pair.key) } : {}) };
}

export interface Answer {
  status: number;
  text: string;
}

/** One request on a connection of its own. Rejects when no answer comes. */
export function ask(options: RequestOptions, body?: string | Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = https({ host: '127.0.0.1', agent: false, timeout: 10_000, ...options }, (reply) => {
      let text = '';
      reply.setEncoding('utf8');
      reply.on('data', (part: string) => (text += part));
      reply.on('end', () => resolve({ status: reply.statusCode ?? 0, text }));
      reply.on('error', reject);
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer in 10 s')));
    sent.on('error', reject);
    sent.end(body);
  });
}

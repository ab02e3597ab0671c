/** What an operator's scripts ask of a cell that runs on this host, by its own configuration file. */
import { Agent, request } from 'undici';
import { systemClock, type Clock } from '../../core/clock.js';
import { messageOf, UnikError } from '../../core/errors.js';
import { homePaths } from '../../core/home.js';
import { createLog } from '../../core/log.js';
import { poll } from '../../core/retry.js';
import { readIdentity } from '../../core/tls.js';
import { KernelCatalogue } from '../../executor/kernels/catalogue.js';
import { ASSETS } from '../assets.js';
import { prepareHome } from '../daemon.js';
import { importShippedKernels } from '../kernels.js';
import { makeProviders } from '../providers.js';
import { loadCellConfig, type CellConfig } from './config.js';

const PROBE_MS = 60_000;
const CALL_MS = 10_000;
const PROGRESS_MS = 2_000;
/** Beyond the evacuation's own timeout: machines are given their grace, the presence is let go. */
const DRAIN_SLACK_MS = 60_000;

/** Resolves once the cell holds its presence and serves. Throws cell_unreachable with the last reason. */
export async function awaitCell(file: string, timeout_ms: number, clock: Clock = systemClock): Promise<void> {
  const door = await openDoor(await loadCellConfig(file));
  let last = 'no answer';
  const attempt = async (): Promise<true | undefined> => {
    try {
      await door.ping();
      return true;
    } catch (err) {
      last = messageOf(err);
      return undefined;
    }
  };
  try {
    await poll(attempt, { clock, timeout_ms, interval_ms: 500, what: 'the cell to serve' });
  } catch (err) {
    throw new UnikError('cell_unreachable', `the cell did not serve within ${timeout_ms / 1_000} s: ${last}`, {
      cause: err,
    });
  } finally {
    await door.close();
  }
}

/**
 * Evacuates the cell and resolves when its process no longer answers; at once when it did not answer to begin with.
 * `onProgress` is told how many instances and tasks are left whenever that changed.
 */
export async function drainCell(
  file: string,
  onProgress: (line: string) => void,
  clock: Clock = systemClock,
): Promise<void> {
  const config = await loadCellConfig(file);
  const door = await openDoor(config);
  try {
    try {
      await door.ping();
    } catch (err) {
      onProgress(`no cell serves at ${door.url}: ${messageOf(err)}`);
      return;
    }
    await door.evacuate();
    onProgress('evacuating');
    let left = '';
    const gone = async (): Promise<true | undefined> => {
      try {
        await door.ping();
      } catch {
        return true;
      }
      const now = await door.left().catch(() => left);
      if (now !== left) onProgress((left = now));
      return undefined;
    };
    const timeout_ms = config.evacuation_timeout + DRAIN_SLACK_MS;
    await poll(gone, { clock, timeout_ms, interval_ms: PROGRESS_MS, what: 'the cell to be empty' });
    onProgress('empty');
  } finally {
    await door.close();
  }
}

/** Makes the home, takes the shipped kernels in, and tells what machines will run on. Throws when none can run here. */
export async function prepareCell(file: string, onLine: (line: string) => void): Promise<void> {
  const config = await loadCellConfig(file);
  const { home, provider: name, network } = config;
  await prepareHome(home);
  const log = createLog('cell', config.log_level);
  const catalogue = new KernelCatalogue({ dir: homePaths(home).kernels, clock: systemClock, log });
  await importShippedKernels(catalogue, { assets: ASSETS, providers: [name], also: true }, log);
  for (const kernel of await catalogue.list()) onLine(`kernel ${kernel.guest} ${kernel.abi} ${kernel.version}`);
  const providers = await makeProviders({ ...config, home, provider: name, providers: [], network }, log);
  try {
    const { healthy, summary, findings } = await providers.get(name).probe(AbortSignal.timeout(PROBE_MS));
    for (const { status, name: what, detail } of findings) if (status !== 'ok') onLine(`${status}: ${what}: ${detail}`);
    if (!healthy) throw new UnikError('provider_unavailable', `provider ${name}: ${summary}`);
    onLine(`provider ${name}: ${summary}`);
  } finally {
    providers.close();
  }
}

interface Door {
  url: string;
  ping(): Promise<string>;
  evacuate(): Promise<string>;
  left(): Promise<string>;
  close(): Promise<void>;
}

async function openDoor({ identities, admin_addr, listen_addr }: CellConfig): Promise<Door> {
  const tls = await readIdentity(identities.tls, 'tls');
  const agent = new Agent({ connect: { ca: tls.ca, cert: tls.cert, key: tls.key, timeout: CALL_MS } });
  const at = (port: number): string =>
    `https://${admin_addr.host.includes(':') ? `[${admin_addr.host}]` : admin_addr.host}:${port}`;
  const ask = async (method: 'GET' | 'POST', url: string): Promise<string> => {
    const options = { dispatcher: agent, method, headersTimeout: CALL_MS, bodyTimeout: CALL_MS } as const;
    const { statusCode, body } = await request(url, options);
    const text = await body.text();
    if (statusCode >= 300) throw new UnikError('cell_unreachable', `${method} ${url} was answered with ${statusCode}`);
    return text;
  };
  const url = at(admin_addr.port);
  return {
    url,
    ping: () => ask('GET', `${url}/ping`),
    evacuate: () => ask('POST', `${url}/evacuate`),
    left: async () => {
      const { LRPs, Tasks } = JSON.parse(await ask('GET', `${at(listen_addr.port)}/state`)) as {
        LRPs: unknown[];
        Tasks: unknown[];
      };
      return `${LRPs.length} instances and ${Tasks.length} tasks left`;
    },
    close: () => agent.close(),
  };
}

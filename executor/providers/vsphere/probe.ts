import { toUnikError, UnikError } from '../../../core/errors.js';
import { poolSize } from '../../remote/pool.js';
import type { Finding, Probe } from '../provider.js';
import type { VSphereConfig } from './config.js';
import { PRIVILEGES } from './policy.js';
import { wordOf, type Moref, type Vim } from './vim.js';

const GB = 2 ** 30;
/** Less is a warning: a machine's disk may be as large. */
const LOW_GB = 4;

type Place = keyof typeof PRIVILEGES;

/** Where the things that a configuration names are in the inventory. */
export function pathsOf({ datacenter, ...config }: VSphereConfig): Record<Place, string> {
  return {
    datacenter,
    resource_pool: `${datacenter}/host/${config.resource_pool}`,
    datastore: `${datacenter}/datastore/${config.datastore}`,
    network: `${datacenter}/network/${config.network}`,
  };
}

/** What `unik doctor` says of vSphere: reached, let in, each place and our rights there, and how much is free. */
export async function probeVSphere(vim: Vim, config: VSphereConfig, signal: AbortSignal): Promise<Probe> {
  const findings: Finding[] = [];
  const ask = async <T>(what: string, fix: string, look: () => Promise<T>): Promise<T | undefined> => {
    const name = `vsphere ${what}`;
    try {
      const found = await look();
      findings.push({ name, status: 'ok', detail: typeof found === 'string' ? found : 'ok' });
      return found;
    } catch (err) {
      findings.push({ name, status: 'error', detail: toUnikError(err).message, fix });
      return undefined;
    }
  };
  const account = 'Check url, ca_file, and the account in credentials_file.';
  if (await ask('reach and credentials', account, () => vim.service('rootFolder'))) {
    for (const place of Object.keys(PRIVILEGES) as Place[]) {
      const path = pathsOf(config)[place];
      const on = await ask(`${place} ${path}`, `Correct vsphere.${place}.`, () => find(vim, path, signal));
      if (!on) continue;
      const fix = `unik provider policy vsphere: give our account a role with these privileges on ${path}.`;
      await ask(`rights on ${place}`, fix, () => rights(vim, on, PRIVILEGES[place], signal));
      if (place === 'datastore') findings.push(await space(vim, on, signal));
    }
    findings.push({
      name: 'vsphere quota',
      status: 'ok',
      detail: `addresses for ${poolSize(config.addresses)} machines`,
    });
  }
  const healthy = findings.every(({ status }) => status !== 'error');
  const summary = healthy ? `vSphere at ${config.url}` : `vSphere at ${config.url} cannot be used`;
  return { healthy, summary, findings };
}

async function find(vim: Vim, path: string, signal: AbortSignal): Promise<Moref> {
  const found = await vim.lookUp(path, signal);
  if (found) return found;
  throw new UnikError('provider_unavailable', `${path} is not in the inventory`);
}

async function rights(vim: Vim, on: Moref, privileges: readonly string[], signal: AbortSignal): Promise<string> {
  const missing = await vim.lacks(on, privileges, signal);
  if (missing.length === 0) return `all ${privileges.length}`;
  throw new UnikError('provider_unavailable', `missing: ${missing.join(', ')}`);
}

async function space(vim: Vim, datastore: Moref, signal: AbortSignal): Promise<Finding> {
  const name = 'vsphere space';
  const fix = 'Make room on the datastore, or set vsphere.datastore to another.';
  try {
    const [facts] = await vim.properties([datastore], 'Datastore', ['summary.freeSpace'], signal);
    const value = facts?.props['summary.freeSpace'];
    const text = typeof value === 'string' ? value : wordOf((value as { '#text'?: string } | undefined)?.['#text']);
    const free = Number(text) / GB;
    const detail = `${free.toFixed(1)} GB free`;
    return free >= LOW_GB ? { name, status: 'ok', detail } : { name, status: 'warning', detail, fix };
  } catch (err) {
    return { name, status: 'warning', detail: toUnikError(err).message, fix };
  }
}

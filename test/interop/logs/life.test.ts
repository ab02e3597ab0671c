/** What `cf logs` shows of a whole life, from a real machine: held together with the operator's guide. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Envelope } from '../../../backend/wire/loggregator.js';
import { guidOf, urlOf } from '../../support/cell/control.js';
import { loggregatorConfig, startMachines, type Machines } from '../../support/cell/machines.js';
import { whyNoGuest } from '../../support/guest.js';
import { makeAgent, type TestAgent } from '../../support/logs/agent.js';
import { fetchUntil200, root, until } from '../../support/unik.js';

const missing = whyNoGuest();
if (missing !== undefined) throw new Error(`the lines of a life: ${missing}`);

const APP = 'life';

describe('A whole life', () => {
  let agent: TestAgent;
  let machines: Machines;
  beforeAll(async () => {
    agent = await makeAgent();
    await agent.start();
    machines = await startMachines({
      config: async (home) => ({ loggregator: await loggregatorConfig(home, agent.address, agent.tls) }),
    });
  }, 300_000);
  afterAll(async () => {
    await machines.close();
    agent.stop();
  }, 60_000);

  test('its lines are those of the operator’s guide, in order', async () => {
    const { control, droplet } = machines;
    await control.desire({ process_guid: APP, droplet, memory_mb: 64 });
    const [first] = await control.running(APP, 1, 180_000);
    if (!first) throw new Error('no instance');
    await fetchUntil200(`${urlOf(first)}/say/hello`);
    // It ends by itself and is started anew, at once: Diego's first two crashes are.
    await fetchUntil200(`${urlOf(first)}/exit/3`);
    const isNew = (lrp: { state: string }): boolean => lrp.state === 'RUNNING';
    await control.one(APP, 'started anew', (lrp) => isNew(lrp) && guidOf(lrp) !== guidOf(first), 120_000);
    await control.remove(APP);
    await control.gone(APP);
    const isLine = ({ log, source_id }: Envelope): boolean => log !== undefined && source_id === `app-${APP}`;
    await until('the last line', async () =>
      linesOf(agent.taken.filter(isLine)).filter((line) => line.includes('successfully destroyed')).length === 2
        ? true
        : undefined,
    );
    const got = linesOf(agent.taken.filter(isLine));
    process.stderr.write(`${got.join('\n')}\n`);
    // Lines of different sources come from different places: their order between each other is not fixed.
    expect(streams(got)).toEqual(streams(await documented()));
  }, 400_000);
});

/** `INSTANCE SOURCE STREAM text`; instances are numbered, what differs from run to run is named, kernel lines are one. */
function linesOf(envelopes: Envelope[]): string[] {
  const instances = [...new Set(envelopes.map(({ tags }) => tags['process_instance_id'] ?? ''))];
  const lines = envelopes.map(({ log, tags }) => {
    const guid = tags['process_instance_id'] ?? '';
    const text = Buffer.from(log?.payload ?? '')
      .toString()
      .replaceAll(guid, 'GUID')
      .replace(/\(\d[\d.]*[KM]?B?\)/, '(SIZE)')
      .replace(/^Cell cell-a /, 'Cell CELL ')
      .replace(/^\[ *\d+\.\d{6}\] .*$/, '[    0.000000] ...');
    return `${instances.indexOf(guid) + 1} ${tags['source_type'] ?? ''} ${log?.type === 'ERR' ? 'ERR' : 'OUT'} ${text}`;
  });
  const isKernel = (line: string): boolean => line.endsWith(' [    0.000000] ...');
  return lines.filter((line, i) => !isKernel(line) || lines.indexOf(line) === i);
}

/** By instance, source and stream: each comes in order. */
function streams(lines: string[]): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const line of lines) {
    const [instance = '', source = '', stream = '', ...rest] = line.split(' ');
    (found[`${instance} ${source} ${stream}`] ??= []).push(rest.join(' '));
  }
  return found;
}

/** The first column of the guide's table. */
async function documented(): Promise<string[]> {
  const guide = await readFile(join(root, 'docs/operating.md'), 'utf8');
  const table = /\| ours, from a real run +\|.*\n\|[-| ]+\n([\s\S]*?)\n\n/.exec(guide)?.[1] ?? '';
  return table.split('\n').map((row) => /^\| `(.*?)` +\|/.exec(row)?.[1] ?? row);
}

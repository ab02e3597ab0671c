/** A cell of containers beside those of `unik up`, for tests: our rep, reconciler and stager, and bubblewrap. */
import { readFile, writeFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startCell } from '../../../backend/cell/cell.js';
import { loadCellConfig } from '../../../backend/cell/config.js';
import { makeStager } from '../../../backend/cell/stager.js';
import { DEFAULT_CONTEXT } from '../../../backend/convert/context.js';
import { lrpOrder } from '../../../backend/convert/desired-lrp.js';
import { taskOrder } from '../../../backend/convert/task.js';
import { connectLoggregator } from '../../../backend/logs/loggregator.js';
import { systemClock as clock } from '../../../core/clock.js';
import { noLog as log } from '../../../core/log.js';
import { readIdentity } from '../../../core/tls.js';
import { cellConfig } from '../../../localcf/cell-config.js';
import { createFetcher } from '../../../stager/actions/fetch.js';
import { freePorts } from '../diego/children.js';
import { BubbleContainers } from './bubble-containers.js';

/** `home`: of the `unik up` that it joins. It advertises the stack `cflinuxfs4`. */
export async function startContainerCell(home: string): Promise<{ close: () => Promise<void> }> {
  const folder = join(home, 'containers');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const platform = JSON.parse(await readFile(join(home, 'cf/ports.json'), 'utf8')) as Record<string, number>;
  const [rep = 0, admin = 0] = await freePorts(2);
  const certificates = join(home, 'cf/certificates');
  const files = {
    ca_file: join(certificates, 'ca.crt'),
    cert_file: join(certificates, 'platform.crt'),
    key_file: join(certificates, 'platform.key'),
  };
  const file = join(folder, 'cell.json');
  const options = cellConfig({
    ...{ name: 'containers', ports: { 'containers.rep': rep, 'containers.admin': admin }, files },
    ...{ stacks: ['cflinuxfs4'], memory_mb: 4_096, log_level: 'error', over: { home: join(folder, 'home') } },
    bbs_url: `https://127.0.0.1:${platform['bbs'] ?? 0}`,
    locket_address: `127.0.0.1:${platform['locket'] ?? 0}`,
    agent: `127.0.0.1:${platform['agent'] ?? 0}`,
    nats: {
      ...{ servers: [`127.0.0.1:${platform['nats'] ?? 0}`], user: 'cell', tls: 'off' },
      password_file: join(home, 'cf/nats-password'),
    },
  });
  await writeFile(file, JSON.stringify(options));
  const config = await loadCellConfig(file);
  if (!config.loggregator || !config.staging) throw new Error('this cell logs and stages');
  const tls = await readIdentity(files, 'tls');
  const sink = connectLoggregator({ ...config.loggregator, tls, clock, log });
  const fetcher = createFetcher({ folder: join(folder, 'downloads'), max_bytes: 2 ** 30, clock, log, tls });
  const staging = await makeStager(config, config.staging, { fetcher, kernels: [], clock, log });
  await staging.stager.recover();
  const containers = new BubbleContainers({ folder: join(folder, 'run'), fetcher, stager: staging.stager, sink });
  const context = { ...DEFAULT_CONTEXT, staging: true };
  const cell = await startCell({
    config,
    parts: {
      ...{ containers, sink },
      convert: {
        lrp: (desired, lrp, guid) => lrpOrder(desired, lrp, guid, context),
        task: (definition, guid) => taskOrder(definition, guid, context),
      },
      close: async () => {
        await fetcher.close();
        await sink.close(2_000);
        await staging.close();
      },
    },
    ...{ clock, log, signal: AbortSignal.timeout(60_000) },
  });
  return { close: () => cell.close() };
}

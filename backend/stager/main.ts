/** `unik stager`: the classic stager's HTTP API before a BBS, until a signal. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { systemClock } from '../../core/clock.js';
import { listenOn, originOf } from '../../core/listen.js';
import { createLog, type Log } from '../../core/log.js';
import { readIdentity } from '../../core/tls.js';
import { VERSION } from '../../core/version.js';
import { stagerApi } from '../../stager/api/app.js';
import { createCloudController } from '../../stager/api/cloud-controller.js';
import { createBbs } from '../wire/bbs.js';
import { loadStagerConfig, type StagerConfig } from './config.js';
import { bbsTasks } from './tasks.js';

export interface StagerRun {
  onReady: (line: string) => void;
  onSignal: (signal: 'SIGINT' | 'SIGTERM', handler: () => void) => () => void;
}

/** Throws config_invalid naming file and key. */
export async function runStager(file: string, { onReady, onSignal }: StagerRun): Promise<void> {
  const config = await loadStagerConfig(file);
  const asked = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) onSignal(signal, () => resolve());
  });
  const stager = await startStager(config, createLog('stager', config.log_level));
  onReady(`unik stager ${VERSION} serves at ${stager.url}`);
  await asked;
  await stager.close();
}

/** `url`: where it listens. */
export async function startStager(config: StagerConfig, log: Log): Promise<{ url: string; close(): Promise<void> }> {
  const { bbs: at, cloud_controller: cc, callback_url, uploader_url, file_server_url, lifecycles, privileged } = config;
  const bbs = createBbs({
    ...{ url: at.url, tls: await readIdentity(at, 'bbs'), clock: systemClock, timeout_ms: at.timeout },
  });
  const cloudController = createCloudController({
    ...{ base_url: cc.url, username: cc.username, timeout_ms: cc.timeout },
    password: (await readFile(cc.password_file, 'utf8')).replace(/\r?\n$/, ''),
    ...(cc.ca_file === undefined ? {} : { ca: await readFile(cc.ca_file, 'utf8') }),
  });
  const places = { callback_url, uploader_url, file_server_url, lifecycles, privileged };
  const server = createServer(stagerApi({ tasks: bbsTasks(bbs), cloudController, places, log }));
  const { host, port } = config.listen_addr;
  const bound = await listenOn(server, { host, port });
  return {
    url: originOf('http', { host, port: bound }),
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      await closed;
      await cloudController.close();
      await bbs.close();
    },
  };
}

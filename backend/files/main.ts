/** `unik files`: the files of one folder by HTTPS, for Cloud Controller and for people with a browser. */
import express from 'express';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { z } from 'zod';
import { checkedConfig, readConfigFile } from '../../core/config-file.js';
import { messageOf, UnikError } from '../../core/errors.js';
import { closeNow, listenOn, originOf } from '../../core/listen.js';
import { createLog } from '../../core/log.js';
import { endpoint } from '../cell/config.js';
import { configSchema } from '../config.js';

export const filesSchema = z.strictObject({
  listen_addr: endpoint,
  /** Files that lie in it are served by their names; folders in it and names with a leading dot are not. */
  folder: z.string().min(1),
  cert_file: z.string().min(1),
  key_file: z.string().min(1),
  log_level: configSchema.shape.log_level,
});
export type FilesConfig = z.output<typeof filesSchema>;

export interface FilesRun {
  onReady: (line: string) => void;
  onSignal: (signal: 'SIGINT' | 'SIGTERM', handler: () => void) => () => void;
}

/** Serves until a signal. Throws config_invalid naming file and key. */
export async function runFiles(file: string, { onReady, onSignal }: FilesRun): Promise<void> {
  const config = checkedConfig(filesSchema, await readConfigFile(file), file);
  const asked = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) onSignal(signal, () => resolve());
  });
  const served = await serveFiles(config);
  onReady(`unik files serves ${config.folder} at ${served.url}`);
  await asked;
  await served.close();
}

/** `url`: where it listens. Throws config_invalid when the address or a certificate cannot be had. */
export async function serveFiles(config: FilesConfig): Promise<{ url: string; close(): Promise<void> }> {
  const { host, port } = config.listen_addr;
  const log = createLog('files', config.log_level);
  const app = express();
  app.disable('x-powered-by');
  const files = express.static(config.folder, { index: false, redirect: false, dotfiles: 'ignore' });
  app.use((request, response, next) => {
    log.info({ method: request.method, path: request.path, peer: request.socket.remoteAddress }, 'files.request');
    // One level: nothing below a folder.
    if (decodeURI(request.path).lastIndexOf('/') > 0) next();
    else files(request, response, next);
  });
  app.use((_request, response) => void response.status(404).type('text/plain').send('no such file\n'));
  const server = createServer(
    {
      cert: await pem(config.cert_file),
      key: await pem(config.key_file),
      ...{ minVersion: 'TLSv1.2', handshakeTimeout: 10_000, headersTimeout: 10_000, requestTimeout: 30_000 },
    },
    app,
  );
  const bound = await listenOn(server, { host, port });
  return {
    url: originOf('https', { host, port: bound }),
    close: () => closeNow(server),
  };
}

async function pem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (err) {
    throw new UnikError('config_invalid', `${file}: ${messageOf(err)}`, { cause: err });
  }
}

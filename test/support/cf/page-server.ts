import express from 'express';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { noLog } from '../../../core/log.js';
import { pageRoutes } from '../../../localcf/page/page.js';
import type { PageSource } from '../../../localcf/page/source.js';
import { close, listen } from './http.js';

/** The page in front of a Cloud Controller of which only `GET /` is here. */
export async function servePage(
  source: PageSource,
  at = 0,
): Promise<{ url: string; port: number; close: () => Promise<void> }> {
  const app = express();
  app.use(pageRoutes({ source, log: noLog }));
  app.get('/', (_request, response) => void response.json({ links: {} }));
  const server = createServer(app);
  await listen(server, at);
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port, close: () => close(server) };
}

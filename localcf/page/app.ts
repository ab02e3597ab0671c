import express from 'express';
import type { RequestListener } from 'node:http';
import { VERSION } from '../../core/version.js';
import { pageRoutes, type PageOptions } from './page.js';

export interface PageAppOptions extends PageOptions {
  /** What `cf enable-unik APP ENDPOINT` is told when ENDPOINT is this platform. */
  stack: string;
}

/** The page, and `GET /v1/info` as every unik daemon answers it, for which nobody need be known. */
export function pageApp({ stack, ...options }: PageAppOptions): RequestListener {
  const app = express();
  app.disable('x-powered-by');
  app.get('/v1/info', (_request, response) => {
    response.json({ stack, version: VERSION, api: 'v1' });
  });
  app.use(pageRoutes(options));
  return app as RequestListener;
}

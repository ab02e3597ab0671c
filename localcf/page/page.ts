import express, { type Request, type Response, type Router } from 'express';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { existsSync } from 'node:fs';
import { z } from 'zod';
import type { Log } from '../../core/log.js';
import { toUnikError, UnikError } from '../../core/errors.js';
import { Feed } from './feed.js';
import { prefersHtml, refusal } from './guard.js';
import { peerUser } from './peer-user.js';
import type { PageSource } from './source.js';

export interface PageOptions {
  source: PageSource;
  log: Log;
  /** Further names under which the page may be asked for; those of the loopback always are. */
  hosts?: readonly string[];
  /** Users who may see it, besides ourselves and root: who became us by sudo. */
  owners?: readonly number[];
}

/** Beside the source, or, bundled, beside the program. */
const FOLDERS = ['./assets/', './page/'].map((name) => fileURLToPath(new URL(name, import.meta.url)));

const FILES: Readonly<Record<string, string>> = {
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'tile.js': 'text/javascript; charset=utf-8',
  'console.js': 'text/javascript; charset=utf-8',
  'format.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
};

/** Nothing but what we serve runs or is shown here, and nobody frames it. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
};

const killBody = z.strictObject({ instance: z.string().min(1).max(200) });
const scaleBody = z.strictObject({
  process: z.string().min(1).max(200),
  instances: z.number().int().min(0).max(100),
});

/**
 * The page at `/`, before the Cloud Controller's routes: `/` when a browser asks, and `/ui/*`. Everything else, and `/`
 * for those who want JSON, passes. Every refusal is a 403 whose text says why.
 */
export function pageRoutes({ source, log, hosts = [], owners = [] }: PageOptions): Router {
  const token = randomBytes(24).toString('base64url');
  const users = new WeakMap<object, Promise<number | undefined>>();
  const router = express.Router();

  async function mayPass(request: Request, response: Response): Promise<boolean> {
    const { socket } = request;
    const ends = {
      peer: { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 },
      own: { port: socket.localPort ?? 0 },
    };
    // A connection has one user for as long as it lives.
    const user = users.get(socket) ?? peerUser(ends);
    users.set(socket, user);
    const why = refusal(
      { method: request.method, headers: request.headers, remote_address: ends.peer.address, peer_uid: await user },
      { hosts, token, owners: [process.getuid?.() ?? -1, ...owners] },
    );
    if (why === undefined) return true;
    log.warn({ path: request.path, why }, 'page.refused');
    response.status(403).set(HEADERS).type('text').send(`${why}\n`);
    return false;
  }

  router.get('/', async (request, response, next) => {
    if (!prefersHtml(request.headers.accept)) {
      next();
      return;
    }
    if (!(await mayPass(request, response))) return;
    const html = (await asset('index.html')).toString().replace('%TOKEN%', token);
    response
      .set({ ...HEADERS, vary: 'accept' })
      .type('html')
      .send(html);
  });

  // Before any body is read.
  router.use('/ui', async (request, response, next) => {
    if (await mayPass(request, response)) next();
  });

  router.get('/ui/events', async (_request, response) => {
    response.set(HEADERS);
    await new Feed(source, response, (err) => log.error({ err }, 'page.feed.failed')).start();
  });

  router.get('/ui/:file', async (request, response) => {
    const { file } = request.params;
    const type = Object.hasOwn(FILES, file) ? FILES[file] : undefined;
    if (type === undefined) response.status(404).set(HEADERS).type('text').send('no such file\n');
    else response.set({ ...HEADERS, 'content-type': type }).send(await asset(file));
  });

  const button = <T>(path: string, schema: z.ZodType<T>, act: (body: T) => Promise<void>): void => {
    router.post(path, express.json({ limit: '4kb' }), async (request, response) => {
      response.set(HEADERS);
      try {
        const body = schema.safeParse(request.body);
        if (!body.success) throw new UnikError('bad_request', `${path}: ${body.error.issues[0]?.message ?? 'no body'}`);
        await act(body.data);
        response.status(204).end();
      } catch (err) {
        const error = toUnikError(err);
        log.warn({ err, path }, 'page.button.failed');
        response.status(error.http).json({ code: error.code, message: error.message, hint: error.hint });
      }
    });
  };
  button('/ui/kill', killBody, ({ instance }) => source.kill(instance));
  button('/ui/scale', scaleBody, ({ process: guid, instances }) => source.scale(guid, instances));
  return router;
}

async function asset(name: string): Promise<Buffer> {
  const folder = FOLDERS.find((one) => existsSync(one + name));
  if (folder === undefined) throw new UnikError('internal', `the page's ${name} is missing from this installation`);
  return readFile(folder + name);
}

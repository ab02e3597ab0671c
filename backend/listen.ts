import type { Express, Request } from 'express';
import { createHash, timingSafeEqual } from 'node:crypto';
import { chmod, readFile, rm } from 'node:fs/promises';
import { createServer as createHttp, type Server } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { messageOf, UnikError } from '../core/errors.js';
import { listenOn } from '../core/listen.js';
import type { Config } from './config.js';

/** What fits into the kernel's socket address, with its closing zero byte. */
const LONGEST_SOCKET_PATH = 107;

/** Serves on a Unix socket that only its owner can use. A socket left by a dead daemon is replaced. */
export async function listenUnix(app: Express, path: string): Promise<Server> {
  const bytes = Buffer.byteLength(path);
  if (bytes > LONGEST_SOCKET_PATH) {
    throw new UnikError(
      'config_invalid',
      `the socket path ${path} has ${bytes} bytes, the system takes ${LONGEST_SOCKET_PATH}: choose a shorter $UNIK_HOME`,
    );
  }
  await rm(path, { force: true });
  const server = createHttp(noTimeouts, app);
  // The umask is 077, so there is no moment at which others could connect.
  await new Promise<void>((resolve, reject) => {
    server.once('error', (err) =>
      reject(new UnikError('config_invalid', `cannot listen on ${path}: ${messageOf(err)}`, { cause: err })),
    );
    server.listen(path, resolve);
  });
  await chmod(path, 0o600);
  return server;
}

/** Serves on TCP with TLS. Throws config_invalid when a file is missing or the token is short. */
export async function listenTcp(app: Express, listen: NonNullable<Config['listen']>): Promise<Server> {
  const { cert, key, ca } = listen.tls;
  const server = createHttps(
    {
      ...noTimeouts,
      minVersion: 'TLSv1.2',
      cert: await readConfigured(cert, 'listen.tls.cert'),
      key: await readConfigured(key, 'listen.tls.key'),
      ...(ca !== undefined
        ? { ca: await readConfigured(ca, 'listen.tls.ca'), requestCert: true, rejectUnauthorized: true }
        : {}),
    },
    app,
  );
  await listenOn(server, listen);
  return server;
}

/** Compares the bearer token in constant time. The check throws `unauthorized`. */
export async function tokenCheck(file: string): Promise<(request: Request) => void> {
  const token = (await readConfigured(file, 'listen.token_file')).trim();
  if (token.length < 16)
    throw new UnikError('config_invalid', `listen.token_file: ${file} holds fewer than 16 characters`);
  const expected = sha256(token);
  return (request) => {
    const [, given] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? [];
    if (given === undefined) throw new UnikError('unauthorized', 'the request has no bearer token');
    if (!timingSafeEqual(sha256(given), expected)) throw new UnikError('unauthorized', 'the bearer token is wrong');
  };
}

/** Followed logs and long builds have no end that a timer may choose. */
const noTimeouts = { requestTimeout: 0, keepAliveTimeout: 5_000 };

async function readConfigured(path: string, key: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (err) {
    throw new UnikError('config_invalid', `${key}: ${messageOf(err)}`, { cause: err });
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

import { expect } from '@jest/globals';
import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import type { Bench } from './bench.js';
import type { Case } from './case.js';
import { decode, encode } from '../../../../backend/wire/codec.js';

interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

async function send(t: Bench, method: string, path: string, body: Uint8Array = Buffer.alloc(0)): Promise<Reply> {
  const sent = request(new URL(path, t.ground.diego.bbs_url), {
    method,
    agent: false,
    timeout: 10_000,
    ...t.ground.tls,
  });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
}

const HANDLERS = 'bbs handlers/handlers.go';

export const protocolCases: Case[] = [
  {
    name: 'an unknown path is not found',
    fact: `404 with the text of Go's mux (${HANDLERS})`,
    async steps(t) {
      const { status, body } = await send(t, 'POST', '/v1/no/such/path');
      expect([status, body.toString().trim()]).toEqual([404, '404 page not found']);
    },
  },
  {
    name: 'a GET where only POST is served is 405 and says so',
    fact: `405 with Allow: POST (${HANDLERS})`,
    async steps(t) {
      const { status, headers } = await send(t, 'GET', '/v1/ping');
      expect([status, headers.allow]).toEqual([405, 'POST']);
    },
  },
  {
    name: 'bytes that are no message are refused inside a reply of status 200',
    fact: `InvalidRequest, the request received is invalid (${HANDLERS} parseRequest)`,
    async steps(t) {
      const { status, headers, body } = await send(t, 'POST', '/v1/actual_lrps/claim', Buffer.from('ffffffff', 'hex'));
      expect([status, headers['content-type']]).toEqual([200, 'application/x-protobuf']);
      expect(decode('models.ActualLRPLifecycleResponse', body).error).toEqual({
        type: 'InvalidRequest',
        message: 'the request received is invalid',
      });
    },
  },
  {
    name: 'an empty body is an empty message, and fails as such',
    fact: `validation of the empty message (${HANDLERS} parseRequest)`,
    async steps(t) {
      const { body } = await send(t, 'POST', '/v1/tasks/start');
      expect(decode('models.StartTaskResponse', body).error).toEqual({
        type: 'InvalidRequest',
        message: 'Invalid field: task_guid, Invalid field: cell_id',
      });
    },
  },
  {
    name: 'a success without content has no byte',
    fact: `Content-Length: 0 (${HANDLERS} writeResponse)`,
    async steps(t) {
      const body = encode('models.UpsertDomainRequest', { domain: t.domain, ttl: 5 });
      const reply = await send(t, 'POST', '/v1/domains/upsert', body);
      expect([reply.status, reply.headers['content-length'], reply.body.length]).toEqual([200, '0', 0]);
    },
  },
  {
    name: 'a client without certificate is refused',
    fact: 'mutual TLS (bbs cmd/bbs/main.go)',
    async steps(t) {
      const { ca } = t.ground.tls;
      const sent = request(new URL('/v1/ping', t.ground.diego.bbs_url), { method: 'POST', agent: false, ca });
      sent.end();
      await expect(once(sent, 'response')).rejects.toThrow(/alert|ECONNRESET|hang up/);
    },
  },
  {
    name: 'ping says available',
    fact: 'PingResponse.available (bbs handlers/ping_handler.go)',
    async steps(t) {
      expect(await t.bbs.call('ping', undefined)).toEqual({ available: true });
    },
  },
];

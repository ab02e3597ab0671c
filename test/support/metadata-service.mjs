/** EC2's metadata service, version 2, in a network namespace: `node metadata-service.mjs FOLDER`; a file for each address. */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const folder = process.argv[2] ?? '';
const tokens = new Set();

createServer((request, response) => {
  const answer = (status, body = '') => response.writeHead(status, { 'content-type': 'text/plain' }).end(body);
  if (request.method === 'PUT' && request.url === '/latest/api/token') {
    if (!request.headers['x-aws-ec2-metadata-token-ttl-seconds']) return answer(400);
    const token = randomBytes(20).toString('base64');
    tokens.add(token);
    return answer(200, token);
  }
  if (!tokens.has(request.headers['x-aws-ec2-metadata-token'])) return answer(401);
  if (request.method !== 'GET' || request.url !== '/latest/user-data') return answer(404);
  try {
    answer(200, readFileSync(join(folder, request.socket.remoteAddress.replace('::ffff:', ''))));
  } catch {
    answer(404);
  }
}).listen(80, '169.254.169.254', () => writeFileSync(join(folder, 'ready'), 'yes'));

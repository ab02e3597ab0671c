/** An embedded BBS made to be killed: `embedded-child HOME CERTS` prints its addresses and serves until then. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createEmbedded } from '../../localcf/bbs/index.js';

const [home = '', certs = ''] = process.argv.slice(2);
const read = (name: string): Promise<string> => readFile(join(certs, name), 'utf8');
const tls = { ca: await read('ca.crt'), cert: await read('peer.crt'), key: await read('peer.key') };
const embedded = await createEmbedded({ home, tls, converge_ms: 3_600_000, rotate_bytes: 20_000 });
console.log(JSON.stringify({ bbs_url: embedded.bbs_url, locket_address: embedded.locket_address }));

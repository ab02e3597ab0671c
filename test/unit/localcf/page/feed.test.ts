import { expect, test } from '@jest/globals';
import { newest } from '../../../../localcf/page/feed.js';
import { userIn } from '../../../../localcf/page/peer-user.js';

const line = (instance: string | null, text: string) => ({
  app: 'a',
  instance,
  at: 0,
  source: 'CELL',
  error: false,
  text,
});

test('of each console the newest lines, all in their order', () => {
  const lines = [line('x', '1'), line('x', '2'), line(null, 'staging'), line('x', '3'), line('y', '4'), line('x', '5')];
  expect(newest(lines, 2).map(({ text }) => text)).toEqual(['staging', '3', '4', '5']);
  expect(newest(lines, 10)).toEqual(lines);
  expect(newest([], 2)).toEqual([]);
});

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1FF5 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0
   1: 0100007F:1FF5 0100007F:C350 01 00000000:00000000 00:00000000 00000000     7        0 2 1 0
   2: 0100007F:C350 0100007F:1FF5 01 00000000:00000000 00:00000000 00000000  1000        0 3 1 0
   3: 0700000A:C351 0100007F:1FF5 01 00000000:00000000 00:00000000 00000000  1001        0 4 1 0
   4: 0000000000000000FFFF00000100007F:C352 0000000000000000FFFF00000100007F:1FF5 01 0:0 0:0 0  1002 0 5 1 0
   5: 00000000000000000000000001000000:C353 00000000000000000000000001000000:1FF5 01 0:0 0:0 0  1003 0 6 1 0
`;
const ends = (port: number) => ({ peer: { address: '127.0.0.1', port }, own: { port: 8181 } });

test.each([
  ['the row of the other end, not ours', 50_000, 1_000],
  ['an address of the network with the same ports', 50_001, undefined],
  ['IPv4 inside IPv6', 50_002, 1_002],
  ['IPv6', 50_003, 1_003],
  ['no such connection', 50_004, undefined],
])('the user of a connection: %s', (_why, port, expected) => expect(userIn(TABLE, ends(port))).toBe(expected));

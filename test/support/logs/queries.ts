import type { NewEnvelope } from '../../../backend/wire/loggregator.js';

const AT = 1_764_000_000_000_000_000n;
const tags = { source_type: 'APP/PROC/WEB', process_id: 'p', app_name: 'an "app" <of> & 日本' };

/** Envelopes of every kind, each with a time of its own, some of them not in order. */
export const CONTENT: NewEnvelope[] = [
  ...Array.from({ length: 150 }, (_, i): NewEnvelope => {
    const type = i % 3 === 0 ? 'ERR' : 'OUT';
    return { ...of('app', 1_000 + i), log: { payload: Buffer.from(`line ${i} ✓`), type } };
  }),
  { ...of('app', 2_010), counter: { name: 'requests.total', delta: 3n, total: 9_007_199_254_740_993n } },
  { ...of('app', 2_005), gauge: { metrics: { cpu: metric('percentage', 1.5), memory: metric('bytes', 1e21) } } },
  { ...of('app', 2_020), gauge: { metrics: { cpu_entitlement: metric('percentage', 0) } } },
  { ...of('app', 2_030), timer: { name: 'http', start: AT, stop: AT + 123_456_789n } },
  { ...of('app', 2_040), event: { title: 'a title', body: 'a body' } },
  { ...of('app', 2_050), log: { payload: Buffer.from([0xff, 0xfe, 0x00, 0x1b]), type: 'OUT' } },
  { ...of('app', 2_060), log: { payload: Buffer.alloc(0), type: 'OUT' } },
  { ...of('old', 0), timestamp: -5n, log: { payload: Buffer.from('before the epoch'), type: 'OUT' } },
  ...Array.from({ length: 5 }, (_, i): NewEnvelope => ({
    ...of('metrics', i * 1_000_000_000),
    instance_id: String(i % 2),
    gauge: { metrics: { 'a-b.c': metric('', i) } },
  })),
];

function of(source_id: string, after: number): NewEnvelope {
  return { timestamp: AT + BigInt(after), source_id, instance_id: '0', tags };
}

function metric(unit: string, value: number) {
  return { unit, value };
}

const read = (query: string): string => `/api/v1/read/app?${query}`;
const promql = (query: string): string => `/api/v1/query?time=1764000010&query=${encodeURIComponent(query)}`;

/** Forty questions that log-cache's gateway and ours have to answer alike. */
export const QUERIES: readonly string[] = [
  '/api/v1/read/app',
  read('limit=1000'),
  read('limit=1'),
  read('limit=0'),
  read('descending=true'),
  read('descending=true&limit=3'),
  read('descending=1&limit=3'),
  read('descending=false&limit=3'),
  read(`start_time=${AT + 1_140n}`),
  read(`startTime=${AT + 1_140n}&limit=5`),
  read(`start_time=${AT + 1_000n}&end_time=${AT + 1_003n}`),
  read(`end_time=${AT + 1_002n}&descending=true`),
  read('start_time=-6795364578871345152&limit=1&descending=true'),
  read(`start_time=${AT + 99_999n}`),
  read('envelope_types=LOG&limit=2'),
  read('envelope_types=COUNTER'),
  read('envelope_types=GAUGE&envelope_types=TIMER'),
  read('envelopeTypes=EVENT'),
  read('envelope_types=3'),
  read('envelope_types=ANY&limit=2'),
  read('envelope_type=LOG&limit=2'),
  read('name_filter=cpu'),
  read('name_filter=%5Erequests'),
  read('name_filter=http&descending=true'),
  read('foo=bar&limit=2'),
  read('source_id=old&limit=1'),
  '/api/v1/read/none',
  '/api/v1/read/old',
  '/api/v1/read/old?start_time=-100',
  '/api/v1/read/a%2Fb',
  '/api/v1/meta',
  read('limit=1001'),
  read('limit=-1'),
  read('limit=x'),
  read('limit=1&limit=2'),
  read('start_time=9&end_time=3'),
  read('start_time=99999999999999999999'),
  read('envelope_types=log'),
  promql('a_b_c{source_id="metrics"}'),
  promql('cpu'),
];

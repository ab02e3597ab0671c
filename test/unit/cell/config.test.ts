import { describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cellSchema, loadCellConfig, parseCellConfig } from '../../../backend/cell/config.js';
import { root } from '../../support/unik.js';

const example = join(root, 'manifests/cell.example.json');
const tls = { ca_file: '/ca', cert_file: '/cert', key_file: '/key' };
const least = {
  ...{ cell_id: 'cell-a', external_address: '10.0.0.1', home: 'home', tls },
  ...{ bbs: { url: 'https://bbs:8889' }, locket: { address: 'locket:8891' } },
};

test('the example has every key, and is understood', async () => {
  const text = JSON.parse(await readFile(example, 'utf8')) as object;
  expect(Object.keys(text).sort()).toEqual(Object.keys(cellSchema.shape).sort());
  const config = await loadCellConfig(example);
  expect(config).toMatchObject({
    owner: 'cf/unik-cell-0',
    rep_url: 'https://unik-cell-0.cell.service.cf.internal:1801',
    rep_address: 'http://10.0.16.20:1800',
    listen_addr: { host: '0.0.0.0', port: 1801 },
    evacuation_timeout: 600_000,
    locket: { keepalive_timeout: 22_000 },
    identities: {
      bbs: { cert_file: '/etc/unik/bbs-client.crt' },
      // Not given: that of the doors.
      locket: { cert_file: '/etc/unik/cell.crt' },
    },
  });
});

test('what is left out has a default; the home is relative to the file', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'unik-config-'));
  try {
    await writeFile(join(dir, 'cell.json'), JSON.stringify(least));
    const config = await loadCellConfig(join(dir, 'cell.json'));
    expect(config).toMatchObject({
      ...{ rep_url: 'https://10.0.0.1:1801', home: join(dir, 'home'), stacks: ['unik'], polling_interval: 30_000 },
      capacity: { containers: 250 },
    });
    expect(config.capacity.memory_mb).toBeGreaterThan(0);
    expect(config.capacity.disk_mb).toBeGreaterThan(0);
  } finally {
    await rm(dir, { recursive: true });
  }
});

describe('a wrong value is refused with file and key', () => {
  test.each<[string, object]>([
    ['cell_id', { cell_id: 'a b' }],
    ['external_address', { external_address: 'host' }],
    ['listen_addr', { listen_addr: '0.0.0.0' }],
    ['listen_addr', { listen_addr: '0.0.0.0:99999' }],
    ['rep_url', { rep_url: 'http://10.0.0.1:1801' }],
    ['tls.key_file', { tls: { ca_file: '/ca', cert_file: '/cert' } }],
    ['bbs.url', { bbs: { url: 'bbs:8889' } }],
    ['bbs.timeout', { bbs: { url: 'https://bbs', timeout: '10' } }],
    ['polling_interval', { polling_interval: '0s' }],
    ['status_addr', { status_addr: '1802' }],
    ['routes.emitter', { routes: { emitter: 'stock' } }],
    ['routes.nats', { routes: { emitter: 'builtin' } }],
    ['routes.nats.servers', { routes: { nats: { servers: [] } } }],
    ['routes.nats.servers.0', { routes: { nats: { servers: ['nats'] } } }],
    ['routes.nats.tls', { routes: { nats: { servers: ['nats:4224'], tls: false } } }],
    ['polling_interval', { polling_interval: 30 }],
    ['locket.address', { locket: { address: 'locket' } }],
    ['stacks', { stacks: [] }],
    ['memory_mb', { memory_mb: 'all' }],
    ['colour', { colour: 'red' }],
  ])('%s: %j', (key, change) => {
    expect(() => parseCellConfig({ ...least, ...change }, 'cell.json')).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: expect.stringMatching(/^cell\.json: /) as unknown }),
    );
    expect(() => parseCellConfig({ ...least, ...change }, 'cell.json')).toThrow(key);
  });

  test.each([['absent.json'], ['package.json/x']])('%s cannot be read', async (name) => {
    await expect(loadCellConfig(join(root, name))).rejects.toMatchObject({ code: 'config_invalid' });
  });
});

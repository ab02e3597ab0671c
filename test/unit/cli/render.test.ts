import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import type { InstanceSummary } from '../../../backend/api/schema/instances.js';
import { ago, bytesText, portsText, printable, renderError, statusText, table } from '../../../cli/render.js';
import { UnikError } from '../../../core/errors.js';
import { VERSION } from '../../../core/version.js';

const row = (change: Partial<InstanceSummary>): InstanceSummary => ({
  id: '0'.repeat(32),
  name: 'web',
  image: { ref: 'hello', digest: 'sha256:00' },
  provider: 'fake',
  status: 'running',
  ready: true,
  created_at: 0,
  restarts: 0,
  memory_mb: 64,
  ports: [],
  urls: [],
  labels: {},
  ...change,
});

test('a table is as wide as its cells, and its last column is free', () => {
  expect(table(['ID', 'NAME'], [['long one', 'x']])).toBe('ID        NAME\nlong one  x');
});

test('an error tells what, details, and how to mend it', () => {
  expect(renderError(new UnikError('port_taken', 'port 80 is taken\nby web'))).toBe(
    'unik: port 80 is taken (port_taken)\n  by web\n  fix: Choose another host port with -p HOST:GUEST.',
  );
});

test('control characters of others do not reach the terminal', () => {
  expect(printable('a\u001b[2Jb\u009bc\td')).toBe('a?[2Jb?c\td');
});

test.each([
  [row({ running_at: 0 }), 'Up 2 minutes'],
  [row({ running_at: 119_000, ready: false }), 'Up 1 second (not ready)'],
  [row({ status: 'created' }), 'Created'],
  [row({ status: 'restarting', exit: { reason: 'exited', status: 3, message: '', at: 0 } }), 'Restarting (3)'],
  [row({ status: 'exited', exit: { reason: 'exited', status: 0, message: '', at: 0 } }), 'Exited (0) 2 minutes ago'],
  [
    row({ status: 'exited', exit: { reason: 'oom', status: 137, message: '', at: 60_000 } }),
    'Exited (137, oom) 1 minute ago',
  ],
])('status %#', (instance, text) => {
  expect(statusText(instance, 120_000)).toBe(text);
});

test('ports, sizes and times', () => {
  const port = { host_address: '::1', host_port: 80, guest_port: 8080, protocol: 'tcp' as const };
  expect(portsText([port, { ...port, host_port: 0 }])).toBe('[::1]:80->8080/tcp, 8080/tcp');
  expect([0, 1023, 1536, 2 ** 20, 150 * 2 ** 30].map(bytesText)).toEqual([
    '0 B',
    '1023 B',
    '1.5 KB',
    '1.0 MB',
    '150 GB',
  ]);
  expect([0, 59_999, 3_600_000, 90_000_000].map(ago)).toEqual(['0 seconds', '59 seconds', '1 hour', '1 day']);
});

test('the version is that of the package', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  expect(VERSION).toBe(version);
});

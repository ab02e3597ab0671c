import { expect, test } from '@jest/globals';
import { majorVersion, readError, readInfo, readNames } from '../../../executor/providers/virtualbox/manage.js';
import { placeIn } from '../../../executor/remote/pool.js';

const pool = { subnet: '10.0.0.0/24', first: '10.0.0.254', last: '10.0.1.1', gateway: '10.0.0.1', dns: ['9.9.9.9'] };

test('the first free address is taken, across a byte, and none is an error that says so', () => {
  expect(placeIn(pool, ['10.0.0.254', '10.0.0.255'])).toEqual({
    address: '10.0.1.0',
    net: { mode: 'static', address: '10.0.1.0/24', gateway: '10.0.0.1', dns: ['9.9.9.9'] },
  });
  const all = ['10.0.0.254', '10.0.0.255', '10.0.1.0', '10.0.1.1'];
  expect(() => placeIn(pool, all)).toThrow(/all addresses from 10.0.0.254/);
});

test('VBoxManage’s answers are read', () => {
  expect(majorVersion('WARNING: The vboxdrv kernel module is not loaded.\n7.0.20r163906\n')).toBe(7);
  expect(
    readNames(
      '"app" {5d3cb0ee-0000-4000-8000-000000000000}\n"<inaccessible>" {5d3cb0ee-0000-4000-8000-000000000001}\n',
    ),
  ).toEqual(['app']);
  expect(readInfo('VMState="running"\nmemory=128\n"SATA-0-0"="/a b=c.vdi"\n')).toEqual(
    new Map([
      ['VMState', 'running'],
      ['memory', '128'],
      ['SATA-0-0', '/a b=c.vdi'],
    ]),
  );
});

test.each([
  [
    "VBoxManage: error: The machine 'x' is already locked for a session (or being unlocked)",
    'VBOX_E_INVALID_OBJECT_STATE',
    'machine_failed',
  ],
  ["VBoxManage: error: Could not find a registered machine named 'x'", 'VBOX_E_OBJECT_NOT_FOUND', 'machine_failed'],
  [
    'VBoxManage: error: AMD-V is disabled in the BIOS (VERR_SVM_DISABLED)\nVBoxManage: error: Details: code NS_ERROR_FAILURE (0x80004005), component',
    'NS_ERROR_FAILURE',
    'provider_unavailable',
  ],
])('%s', (text, vbox, code) => {
  expect(readError('startvm x', text)).toMatchObject({ vbox, code });
});

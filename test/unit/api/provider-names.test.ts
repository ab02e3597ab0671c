import { expect, test } from '@jest/globals';
import { parseConfig } from '../../../backend/config.js';

test('a retired provider is named, with its successor', () => {
  expect(() => parseConfig({ provider: 'photon' }, 'config.json')).toThrow(/retired by its vendor.*use vsphere/);
});

test('what a provider is told is checked, and a secret has no place there', () => {
  const aws = { region: 'eu-central-1', subnet_id: 'subnet-1', security_group_ids: ['sg-1'] };
  expect(parseConfig({ provider_options: { aws } }, 'config.json').provider_options.aws?.address).toBe('private');
  const withSecret = { ...aws, secret_access_key: 'x' };
  expect(() => parseConfig({ provider_options: { aws: withSecret } }, 'config.json')).toThrow(/secret_access_key/);
});

import { describe } from '@jest/globals';
import { openstackContract } from '../../support/openstack/contract.js';

describe('openstack, doubles', () => openstackContract('openstack', false));

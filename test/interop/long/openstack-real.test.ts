/** The contract with the real Keystone and Glance in place of their doubles; Nova's servers boot what the real Glance keeps. */
import { openstackContract } from '../../support/openstack/contract.js';
import { describePeer } from '../../support/peers.js';

describePeer('openstack, the real Keystone and Glance', ['openstack-services'], () => {
  openstackContract('openstack, real Keystone and Glance', true);
});

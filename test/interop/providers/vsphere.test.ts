import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { vsphereConfigSchema } from '../../../executor/providers/vsphere/config.js';
import { createVSphereProvider } from '../../../executor/providers/vsphere/index.js';
import { remoteContract } from '../../contract/remote.js';
import { groundOf } from '../../support/elsewhere/ground.js';
import { vsphere } from '../../support/elsewhere/vsphere.js';
import { describePeer } from '../../support/peers.js';
import { PACE } from '../../support/remote.js';

describePeer('vsphere', vsphere.peers, () => {
  const ground = groundOf(vsphere);
  remoteContract({
    name: 'vsphere',
    ground,
    make(home) {
      const config = vsphereConfigSchema.parse(ground.there.options);
      return createVSphereProvider({ config, home, clock: systemClock, log: noLog, pace: PACE });
    },
  });
});

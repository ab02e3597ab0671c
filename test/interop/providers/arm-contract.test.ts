import { expect, test } from '@jest/globals';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { armConfigSchema } from '../../../executor/providers/arm/config.js';
import { createArmProvider } from '../../../executor/providers/arm/index.js';
import { remoteContract } from '../../contract/remote.js';
import { whyNoBoards } from '../../support/boards.js';
import { arm } from '../../support/elsewhere/arm.js';
import { groundOf } from '../../support/elsewhere/ground.js';
import { PACE } from '../../support/remote.js';

const why = whyNoBoards();

if (why !== undefined) {
  console.warn(`skipped: arm: ${why}`);
  test.skip(`arm: ${why}`, () => expect(why).toBeUndefined());
} else {
  const ground = groundOf(arm);
  remoteContract({
    name: 'arm',
    ground,
    make(home) {
      const config = armConfigSchema.parse(ground.there.options);
      return createArmProvider({ config, home, clock: systemClock, log: noLog, pace: PACE });
    },
    patience_ms: 180_000,
  });
}

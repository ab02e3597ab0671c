import { Cloud } from '../../../support/cc/cloud.js';
import { cloudSuite } from '../../../support/cc/suite.js';

cloudSuite('a Cloud Foundry of one machine', () => Cloud.open());

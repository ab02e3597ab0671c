import type { Deployment } from '../model.js';
import type { Store } from '../store.js';

/** The deployment of an app that is still going on. */
export const activeDeployment = (store: Store, app_guid: string): Deployment | undefined =>
  store.deployment.find((one) => one.app_guid === app_guid && one.status_value === 'ACTIVE');

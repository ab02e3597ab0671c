/** All resources of the Cloud Controller. */
import type { Cc } from './cc.js';
import type { Route } from './http.js';
import { auditEventRoutes } from './resources/audit-events.js';
import { buildpackJobs, buildpackRoutes } from './resources/buildpacks.js';
import { domainJobs, domainRoutes } from './resources/domains.js';
import { envGroupRoutes } from './resources/env-groups.js';
import { featureFlagRoutes } from './resources/feature-flags.js';
import { isolationSegmentRoutes } from './resources/isolation-segments.js';
import { jobRoutes } from './resources/jobs.js';
import { orgJobs, orgRoutes } from './resources/orgs.js';
import { quotaJobs, quotaRoutes } from './resources/quotas.js';
import { roleJobs, roleRoutes } from './resources/roles.js';
import { rootRoutes } from './resources/root.js';
import { securityGroupJobs, securityGroupRoutes } from './resources/security-groups.js';
import { serviceBindingRoutes } from './resources/service-bindings.js';
import { serviceCatalogueRoutes } from './resources/service-catalogue.js';
import { serviceInstanceRoutes } from './resources/service-instances.js';
import { spaceJobs, spaceRoutes } from './resources/spaces.js';
import { stackJobs, stackRoutes } from './resources/stacks.js';
import { userJobs, userRoutes } from './resources/users.js';

/** The platform's own; those of apps come from localcf/cc/runtime. */
export function platformRoutes(cc: Cc): Route[] {
  return [
    ...[rootRoutes, jobRoutes, orgRoutes, spaceRoutes, roleRoutes, userRoutes, quotaRoutes, stackRoutes],
    ...[buildpackRoutes, domainRoutes, featureFlagRoutes, envGroupRoutes, isolationSegmentRoutes],
    ...[securityGroupRoutes, serviceInstanceRoutes, serviceBindingRoutes, serviceCatalogueRoutes, auditEventRoutes],
  ].flatMap((routes) => routes(cc));
}

export function platformJobs(cc: Cc): void {
  const all = [
    orgJobs,
    spaceJobs,
    roleJobs,
    userJobs,
    quotaJobs,
    stackJobs,
    buildpackJobs,
    domainJobs,
    securityGroupJobs,
  ];
  for (const define of all) define(cc);
}

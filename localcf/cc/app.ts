/** All resources of the Cloud Controller. */
import type { Cc } from './cc.js';
import type { Route } from './http.js';
import { appJobs, appRoutes } from './resources/apps.js';
import { appPartRoutes } from './resources/app-parts.js';
import { auditEventRoutes } from './resources/audit-events.js';
import { buildpackJobs, buildpackRoutes } from './resources/buildpacks.js';
import { buildRoutes } from './resources/builds.js';
import { deploymentRoutes } from './resources/deployments.js';
import { domainJobs, domainRoutes } from './resources/domains.js';
import { dropletJobs, dropletRoutes } from './resources/droplets.js';
import { envGroupRoutes } from './resources/env-groups.js';
import { featureFlagRoutes } from './resources/feature-flags.js';
import { isolationSegmentRoutes } from './resources/isolation-segments.js';
import { jobRoutes } from './resources/jobs.js';
import { manifestJobs, manifestRoutes } from './resources/manifests.js';
import { orgJobs, orgRoutes } from './resources/orgs.js';
import { packageJobs, packageRoutes } from './resources/packages.js';
import { processRoutes } from './resources/processes.js';
import { quotaJobs, quotaRoutes } from './resources/quotas.js';
import { revisionRoutes } from './resources/revisions.js';
import { roleJobs, roleRoutes } from './resources/roles.js';
import { rootRoutes } from './resources/root.js';
import { routeSharingRoutes } from './resources/route-sharing.js';
import { routeJobs, routeRoutes } from './resources/routes.js';
import { securityGroupJobs, securityGroupRoutes } from './resources/security-groups.js';
import { serviceBindingRoutes } from './resources/service-bindings.js';
import { serviceCatalogueRoutes } from './resources/service-catalogue.js';
import { serviceInstanceRoutes } from './resources/service-instances.js';
import { spaceJobs, spaceRoutes } from './resources/spaces.js';
import { stackJobs, stackRoutes } from './resources/stacks.js';
import { taskRoutes } from './resources/tasks.js';
import { userJobs, userRoutes } from './resources/users.js';

export function ccRoutes(cc: Cc): Route[] {
  return [
    ...[rootRoutes, jobRoutes, orgRoutes, spaceRoutes, roleRoutes, userRoutes, quotaRoutes, stackRoutes],
    ...[buildpackRoutes, domainRoutes, featureFlagRoutes, envGroupRoutes, isolationSegmentRoutes],
    ...[securityGroupRoutes, serviceInstanceRoutes, serviceBindingRoutes, serviceCatalogueRoutes, auditEventRoutes],
    ...[appRoutes, appPartRoutes, processRoutes, packageRoutes, buildRoutes, dropletRoutes, routeRoutes, taskRoutes],
    ...[routeSharingRoutes, manifestRoutes, deploymentRoutes, revisionRoutes],
  ].flatMap((routes) => routes(cc));
}

export function ccJobs(cc: Cc): void {
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
    ...[appJobs, packageJobs, dropletJobs, routeJobs, manifestJobs],
    appJobs,
    packageJobs,
    dropletJobs,
    routeJobs,
  ];
  for (const define of all) define(cc);
}

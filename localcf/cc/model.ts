/** Rows of the Cloud Controller, one table each. Flat: a relation is the other row's guid. Source: CC's own tables. */

export interface Base {
  guid: string;
  /** Order of making, over all tables: times are only told to the second. */
  seq: number;
  /** RFC 3339 in UTC to the second, as CC writes them. */
  created_at: string;
  updated_at: string;
}

export type Strings = Record<string, string>;

export interface Metadata {
  labels: Strings;
  annotations: Strings;
}

export interface Org extends Base {
  name: string;
  suspended: boolean;
  quota_guid: string;
  isolation_segment_guid: string | null;
  metadata: Metadata;
}

export interface Space extends Base {
  name: string;
  org_guid: string;
  quota_guid: string | null;
  isolation_segment_guid: string | null;
  allow_ssh: boolean;
  metadata: Metadata;
}

/** Of an organization or of a space; null in a limit: none. */
export interface Quota extends Base {
  name: string;
  /** Null: a quota of organizations. */
  org_guid: string | null;
  apps: {
    total_memory_in_mb: number | null;
    per_process_memory_in_mb: number | null;
    total_instances: number | null;
    per_app_tasks: number | null;
    log_rate_limit_in_bytes_per_second: number | null;
  };
  services: {
    paid_services_allowed: boolean;
    total_service_instances: number | null;
    total_service_keys: number | null;
  };
  routes: { total_routes: number | null; total_reserved_ports: number | null };
  /** Of organizations only. */
  domains: { total_domains: number | null };
}

export const ORG_ROLES = [
  'organization_user',
  'organization_auditor',
  'organization_manager',
  'organization_billing_manager',
] as const;
export const SPACE_ROLES = ['space_auditor', 'space_developer', 'space_manager', 'space_supporter'] as const;
export type OrgRole = (typeof ORG_ROLES)[number];
export type SpaceRole = (typeof SPACE_ROLES)[number];

/** Exactly one of the two places is not null. */
export interface Role extends Base {
  type: OrgRole | SpaceRole;
  user_guid: string;
  org_guid: string | null;
  space_guid: string | null;
}

/** A user of the UAA and of the CC at once: the guids are the same. */
export interface User extends Base {
  /** Null: a client of the UAA. */
  username: string | null;
  origin: string | null;
  email: string | null;
  given_name: string | null;
  family_name: string | null;
  active: boolean;
  /** `scrypt$salt$hash` in base64url; null: nobody can log in as this user by password. */
  password_hash: string | null;
  /** Groups of the UAA beyond those that everybody has, such as `cloud_controller.admin`. */
  groups: string[];
  /** Known to the CC (POST /v3/users, or a first call), not only to the UAA. */
  in_cc: boolean;
  metadata: Metadata;
}

/** A token that no longer counts, kept until it would have expired. guid: its jti. */
export interface Revocation extends Base {
  expires_at: string;
}

export interface Stack extends Base {
  name: string;
  description: string | null;
  /** Of new apps whose stack is not given. */
  is_default: boolean;
  build_rootfs: string;
  run_rootfs: string;
  state: 'ACTIVE' | 'DEPRECATED' | 'RESTRICTED' | 'DISABLED';
  state_reason: string | null;
  metadata: Metadata;
}

export interface Buildpack extends Base {
  name: string;
  /** Null: for every stack. */
  stack: string | null;
  position: number;
  enabled: boolean;
  locked: boolean;
  lifecycle: 'buildpack' | 'cnb';
  state: 'AWAITING_UPLOAD' | 'READY';
  filename: string | null;
  /** Of the blob; null before the upload. */
  sha256: string | null;
  bytes: number | null;
  metadata: Metadata;
}

export type Lifecycle =
  | { type: 'buildpack' | 'cnb'; data: { buildpacks: string[]; stack: string | null } }
  | { type: 'docker'; data: object };

export interface App extends Base {
  name: string;
  space_guid: string;
  state: 'STARTED' | 'STOPPED';
  lifecycle: Lifecycle;
  environment: Strings;
  droplet_guid: string | null;
  revision_guid: string | null;
  features: { ssh: boolean; revisions: boolean; 'service-binding-k8s': boolean; 'file-based-vcap-services': boolean };
  metadata: Metadata;
}

export interface HealthCheck {
  type: 'port' | 'http' | 'process' | 'none';
  endpoint: string | null;
  /** Seconds; null: the platform's default. */
  timeout: number | null;
  invocation_timeout: number | null;
  interval: number | null;
}

/** guid of a web process: its app's, until a rolling deployment made another. */
export interface Process extends Base {
  app_guid: string;
  type: string;
  /** Null: that of the droplet. */
  command: string | null;
  user: string | null;
  instances: number;
  memory_in_mb: number;
  disk_in_mb: number;
  /** -1: unlimited. */
  log_rate_limit_in_bytes_per_second: number;
  health_check: HealthCheck;
  readiness_health_check: HealthCheck;
  /** Of the Diego process guid `<guid>-<version>`; another one is another LRP. */
  version: string;
  revision_guid: string | null;
  metadata: Metadata;
}

export interface Sidecar extends Base {
  app_guid: string;
  name: string;
  command: string;
  process_types: string[];
  memory_in_mb: number | null;
}

export type PackageState = 'AWAITING_UPLOAD' | 'PROCESSING_UPLOAD' | 'READY' | 'FAILED' | 'COPYING' | 'EXPIRED';

export interface Package extends Base {
  app_guid: string;
  type: 'bits' | 'docker';
  state: PackageState;
  error: string | null;
  sha256: string | null;
  bytes: number | null;
  docker: { image: string; username: string | null; password: string | null } | null;
  metadata: Metadata;
}

export interface Actor {
  guid: string;
  name: string;
  email: string;
}

export interface Build extends Base {
  app_guid: string;
  package_guid: string;
  state: 'STAGING' | 'STAGED' | 'FAILED';
  error: string | null;
  droplet_guid: string | null;
  lifecycle: Lifecycle;
  staging_memory_in_mb: number;
  staging_disk_in_mb: number;
  staging_log_rate_limit_bytes_per_second: number;
  created_by: Actor;
  metadata: Metadata;
}

export interface DropletBuildpack {
  name: string;
  detect_output: string | null;
  buildpack_name: string | null;
  version: string | null;
}

export interface Droplet extends Base {
  app_guid: string;
  /** Null: uploaded or copied. */
  package_guid: string | null;
  build_guid: string | null;
  state: 'AWAITING_UPLOAD' | 'PROCESSING_UPLOAD' | 'STAGED' | 'COPYING' | 'FAILED' | 'EXPIRED';
  error: string | null;
  lifecycle: Lifecycle;
  stack: string | null;
  image: string | null;
  execution_metadata: string;
  process_types: Strings;
  sidecars: { name: string; command: string; process_types: string[]; memory: number | null }[];
  buildpacks: DropletBuildpack[];
  sha256: string | null;
  bytes: number | null;
  metadata: Metadata;
}

/** What the last build of an app on a stack left for the next. */
export interface BuildCache extends Base {
  app_guid: string;
  stack: string;
  sha256: string;
  bytes: number;
}

export interface Domain extends Base {
  name: string;
  internal: boolean;
  router_group: string | null;
  /** Null: shared by all. */
  org_guid: string | null;
  shared_org_guids: string[];
  metadata: Metadata;
}

export interface Route extends Base {
  space_guid: string;
  /** Spaces whose apps it may lead to besides; absent: none. */
  shared_space_guids?: string[];
  domain_guid: string;
  host: string;
  path: string;
  port: number | null;
  options: Record<string, unknown>;
  metadata: Metadata;
}

export interface Destination extends Base {
  route_guid: string;
  app_guid: string;
  process_type: string;
  /** Null: the port of the droplet, 8080. */
  port: number | null;
  weight: number | null;
  protocol: 'http1' | 'http2' | 'tcp';
}

export interface CfErrorItem {
  code: number;
  title: string;
  detail: string;
}

export interface Job extends Base {
  /** Such as `app.delete`. */
  operation: string;
  resource_guid: string;
  /** What the work must know to be taken up after a restart. */
  input: unknown;
  state: 'PROCESSING' | 'COMPLETE' | 'FAILED';
  errors: CfErrorItem[];
  warnings: { detail: string }[];
}

export interface Task extends Base {
  app_guid: string;
  sequence_id: number;
  name: string;
  command: string;
  state: 'PENDING' | 'RUNNING' | 'CANCELING' | 'SUCCEEDED' | 'FAILED';
  memory_in_mb: number;
  disk_in_mb: number;
  log_rate_limit_in_bytes_per_second: number;
  failure_reason: string | null;
  droplet_guid: string;
  user: string | null;
  metadata: Metadata;
}

export interface Deployment extends Base {
  app_guid: string;
  state: 'DEPLOYING' | 'PREPAUSED' | 'PAUSED' | 'DEPLOYED' | 'CANCELING' | 'CANCELED';
  status_value: 'ACTIVE' | 'FINALIZED';
  status_reason: 'DEPLOYING' | 'PAUSED' | 'CANCELING' | 'DEPLOYED' | 'CANCELED' | 'SUPERSEDED' | 'DEGENERATE';
  /** RFC 3339. */
  last_status_change: string;
  strategy: 'rolling' | 'canary' | 'recreate';
  max_in_flight: number;
  web_instances: number | null;
  memory_in_mb: number | null;
  disk_in_mb: number | null;
  log_rate_limit_in_bytes_per_second: number | null;
  canary_steps: { instance_weight: number }[] | null;
  canary_step: number;
  droplet_guid: string;
  previous_droplet_guid: string | null;
  revision_guid: string | null;
  original_web_instances: number;
  /** The new web process, made by the deployment. */
  process_guid: string | null;
  error: string | null;
  metadata: Metadata;
}

export interface Revision extends Base {
  app_guid: string;
  version: number;
  droplet_guid: string;
  description: string;
  environment: Strings;
  /** Process type to command; null: that of the droplet. */
  commands: Record<string, string | null>;
  sidecars: { name: string; command: string; process_types: string[]; memory_in_mb: number | null }[];
  metadata: Metadata;
}

export interface ServiceInstance extends Base {
  /** Of managed ones there are none: no broker is spoken to. */
  type: 'user-provided';
  name: string;
  space_guid: string;
  credentials: Record<string, unknown>;
  syslog_drain_url: string | null;
  route_service_url: string | null;
  tags: string[];
  last_operation: { type: 'create' | 'update'; state: 'succeeded'; description: string };
  metadata: Metadata;
}

export interface ServiceBinding extends Base {
  type: 'app';
  name: string | null;
  app_guid: string;
  service_instance_guid: string;
  credentials: Record<string, unknown>;
  syslog_drain_url: string | null;
  metadata: Metadata;
}

export interface AuditEvent extends Base {
  /** Such as `audit.app.create`. */
  type: string;
  actor: { guid: string; type: 'user' | 'process' | 'system' | 'service_broker'; name: string };
  target: { guid: string; type: string; name: string };
  data: Record<string, unknown>;
  space_guid: string | null;
  org_guid: string | null;
}

export interface UsageEvent extends Base {
  state: { current: string; previous: string | null };
  app: { guid: string; name: string };
  /** Null: of staging. */
  process: { guid: string | null; type: string | null };
  space: { guid: string; name: string };
  org_guid: string;
  buildpack: { guid: string | null; name: string | null };
  task: { guid: string | null; name: string | null };
  memory_in_mb_per_instance: { current: number; previous: number | null };
  instance_count: { current: number; previous: number | null };
}

/** guid: the flag's name. */
export interface FeatureFlag extends Base {
  enabled: boolean;
  custom_error_message: string | null;
}

/** guid: `running` or `staging`. */
export interface EnvGroup extends Base {
  var: Strings;
}

export interface SecurityGroup extends Base {
  name: string;
  rules: Record<string, unknown>[];
  globally_running: boolean;
  globally_staging: boolean;
  running_spaces: string[];
  staging_spaces: string[];
}

export interface IsolationSegment extends Base {
  name: string;
  org_guids: string[];
  metadata: Metadata;
}

/** Table names and their rows. A new table is a line here and one in store.ts. */
export interface Tables {
  org: Org;
  space: Space;
  quota: Quota;
  role: Role;
  user: User;
  revocation: Revocation;
  stack: Stack;
  buildpack: Buildpack;
  app: App;
  process: Process;
  sidecar: Sidecar;
  package: Package;
  build: Build;
  droplet: Droplet;
  build_cache: BuildCache;
  domain: Domain;
  route: Route;
  destination: Destination;
  job: Job;
  task: Task;
  deployment: Deployment;
  revision: Revision;
  service_instance: ServiceInstance;
  service_binding: ServiceBinding;
  audit_event: AuditEvent;
  usage_event: UsageEvent;
  feature_flag: FeatureFlag;
  env_group: EnvGroup;
  security_group: SecurityGroup;
  isolation_segment: IsolationSegment;
}
export type TableName = keyof Tables;

export const noMetadata = (): Metadata => ({ labels: {}, annotations: {} });

/** What a recipe is made of: rows that belong together, and where the cell finds and brings things. */
import type {
  App,
  Buildpack,
  Build,
  Destination,
  Domain,
  Droplet,
  Org,
  Package,
  Process,
  Route,
  SecurityGroup,
  ServiceBinding,
  ServiceInstance,
  Sidecar,
  Space,
  Stack,
  Strings,
  Task,
} from '../model.js';

/** A route of an app, with what leads to it. */
export interface Mapping {
  route: Route;
  domain: Domain;
  destination: Destination;
}

export interface Bound {
  binding: ServiceBinding;
  instance: ServiceInstance;
}

/** Of every recipe of an app. */
export interface AppFacts {
  org: Org;
  space: Space;
  app: App;
  /** All routes of the app, in the order of their making. */
  mappings: readonly Mapping[];
  bound: readonly Bound[];
  /** Those that hold for what runs, or for staging. */
  security_groups: readonly SecurityGroup[];
  /** The running, or the staging, environment group. */
  group: Strings;
  isolation_segment: string | null;
}

export interface ProcessFacts extends AppFacts {
  process: Process;
  droplet: Droplet;
  stack: Stack | undefined;
  sidecars: readonly Sidecar[];
}

export interface TaskFacts extends AppFacts {
  task: Task;
  droplet: Droplet;
  stack: Stack | undefined;
}

/** A buildpack of a build: a row, or a URL. */
export type BuildpackChoice = { kind: 'admin'; row: Buildpack; skip_detect: boolean } | { kind: 'custom'; url: string };

export interface StagingFacts extends AppFacts {
  build: Build;
  package: Package;
  stack: Stack;
  buildpacks: readonly BuildpackChoice[];
  /** Of the app's last build on this stack. */
  cache: { sha256: string } | undefined;
}

export interface Blob {
  url: string;
  /** Hex; undefined: not told. */
  sha256: string | undefined;
}

/** Addresses as the cell and the BBS reach them. */
export interface Places {
  /** Of the API, as applications see it. */
  api_url: string;
  lifecycle: Blob;
  droplet(process_guid: string, droplet: Droplet): Blob;
  package(row: Package): Blob;
  buildpack(row: Buildpack): Blob;
  cache(app_guid: string, sha256: string): Blob;
  upload_droplet(build: Build): string;
  upload_cache(build: Build): string;
  staging_done(build_guid: string): string;
  task_done(task_guid: string): string;
}

export const NOFILE = 16_384;
export const MAX_PIDS = 1_024;
export const DEFAULT_PORT = 8_080;
/** Seconds, of staging as a whole. */
export const STAGING_TIMEOUT_S = 900;

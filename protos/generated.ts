// Made by `npm run protos` from protos/*.proto. Do not edit.
/* eslint-disable */
export interface Action {
  download_action?: DownloadAction;
  upload_action?: UploadAction;
  run_action?: RunAction;
  timeout_action?: TimeoutAction;
  emit_progress_action?: EmitProgressAction;
  try_action?: TryAction;
  parallel_action?: ParallelAction;
  serial_action?: SerialAction;
  codependent_action?: CodependentAction;
}
export interface ActualLRP {
  actual_lrp_key?: ActualLRPKey;
  actual_lrp_instance_key?: ActualLRPInstanceKey;
  actual_lrp_net_info?: ActualLRPNetInfo;
  crash_count: number;
  crash_reason: string;
  state: string;
  placement_error: string;
  since: bigint;
  modification_tag?: ModificationTag;
  presence: 'ORDINARY' | 'EVACUATING' | 'SUSPECT';
  actual_lrp_internal_routes: ActualLRPInternalRoute[];
  metric_tags: Record<string, string>;
  routable?: boolean;
  availability_zone: string;
}
export interface ActualLRPChangedEvent {
  before?: ActualLRPGroup;
  after?: ActualLRPGroup;
}
export interface ActualLRPCrashedEvent {
  actual_lrp_key?: ActualLRPKey;
  actual_lrp_instance_key?: ActualLRPInstanceKey;
  crash_count: number;
  crash_reason: string;
  since: bigint;
}
export interface ActualLRPCreatedEvent {
  actual_lrp_group?: ActualLRPGroup;
}
export interface ActualLRPGroup {
  instance?: ActualLRP;
  evacuating?: ActualLRP;
}
export interface ActualLRPGroupByProcessGuidAndIndexRequest {
  process_guid: string;
  index: number;
}
export interface ActualLRPGroupResponse {
  error?: Error;
  actual_lrp_group?: ActualLRPGroup;
}
export interface ActualLRPGroupsByProcessGuidRequest {
  process_guid: string;
}
export interface ActualLRPGroupsRequest {
  domain: string;
  cell_id: string;
}
export interface ActualLRPGroupsResponse {
  error?: Error;
  actual_lrp_groups: ActualLRPGroup[];
}
export interface ActualLRPInfo {
  actual_lrp_net_info?: ActualLRPNetInfo;
  crash_count: number;
  crash_reason: string;
  state: string;
  placement_error: string;
  since: bigint;
  modification_tag?: ModificationTag;
  presence: 'ORDINARY' | 'EVACUATING' | 'SUSPECT';
  routable?: boolean;
  availability_zone: string;
}
export interface ActualLRPInstanceChangedEvent {
  actual_lrp_key?: ActualLRPKey;
  actual_lrp_instance_key?: ActualLRPInstanceKey;
  before?: ActualLRPInfo;
  after?: ActualLRPInfo;
  trace_id: string;
}
export interface ActualLRPInstanceCreatedEvent {
  actual_lrp?: ActualLRP;
  trace_id: string;
}
export interface ActualLRPInstanceKey {
  instance_guid: string;
  cell_id: string;
}
export interface ActualLRPInstanceRemovedEvent {
  actual_lrp?: ActualLRP;
  trace_id: string;
}
export interface ActualLRPInternalRoute {
  hostname: string;
}
export interface ActualLRPKey {
  process_guid: string;
  index: number;
  domain: string;
}
export interface ActualLRPLifecycleResponse {
  error?: Error;
}
export interface ActualLRPNetInfo {
  address: string;
  ports: PortMapping[];
  instance_address: string;
  preferred_address: 'UNKNOWN' | 'INSTANCE' | 'HOST';
  instance_ipv6_address: string;
}
export interface ActualLRPRemovedEvent {
  actual_lrp_group?: ActualLRPGroup;
}
export interface ActualLRPsByProcessGuidsRequest {
  process_guids: string[];
}
export interface ActualLRPsRequest {
  domain: string;
  cell_id: string;
  process_guid: string;
  index?: number;
}
export interface ActualLRPsResponse {
  error?: Error;
  actual_lrps: ActualLRP[];
}
export interface BatchSenderResponse {}
export interface CachedDependency {
  name: string;
  from: string;
  to: string;
  cache_key: string;
  log_source: string;
  checksum_algorithm: string;
  checksum_value: string;
}
export interface CellCapacity {
  memory_mb: number;
  disk_mb: number;
  containers: number;
}
export interface CellPresence {
  cell_id: string;
  rep_address: string;
  zone: string;
  capacity?: CellCapacity;
  rootfs_providers: Provider[];
  placement_tags: string[];
  optional_placement_tags: string[];
  rep_url: string;
  annotations: Record<string, string>;
}
export interface CellsResponse {
  error?: Error;
  cells: CellPresence[];
}
export interface CertificateProperties {
  organizational_unit: string[];
}
export interface Check {
  tcp_check?: TCPCheck;
  http_check?: HTTPCheck;
}
export interface CheckDefinition {
  checks: Check[];
  log_source: string;
  readiness_checks: Check[];
}
export interface ClaimActualLRPRequest {
  process_guid: string;
  index: number;
  actual_lrp_instance_key?: ActualLRPInstanceKey;
}
export interface CodependentAction {
  actions: Action[];
  log_source: string;
}
export interface CompleteTaskRequest {
  task_guid: string;
  cell_id: string;
  failed: boolean;
  failure_reason: string;
  result: string;
}
export interface Counter {
  name: string;
  delta: bigint;
  total: bigint;
}
export interface CrashActualLRPRequest {
  actual_lrp_key?: ActualLRPKey;
  actual_lrp_instance_key?: ActualLRPInstanceKey;
  error_message: string;
}
export interface DedicatedDevice {
  mounter_id: string;
  mount_config: string;
  device_config: string;
}
export interface DesireLRPRequest {
  desired_lrp?: DesiredLRP;
}
export interface DesireTaskRequest {
  task_definition?: TaskDefinition;
  task_guid: string;
  domain: string;
}
export interface DesiredLRP {
  process_guid: string;
  domain: string;
  root_fs: string;
  instances: number;
  environment_variables: EnvironmentVariable[];
  setup?: Action;
  action?: Action;
  deprecated_start_timeout_s: number;
  monitor?: Action;
  disk_mb: number;
  memory_mb: number;
  cpu_weight: number;
  privileged: boolean;
  ports: number[];
  routes?: ProtoRoutes;
  log_source: string;
  log_guid: string;
  metrics_guid: string;
  annotation: string;
  egress_rules: SecurityGroupRule[];
  modification_tag?: ModificationTag;
  cached_dependencies: CachedDependency[];
  legacy_download_user: string;
  trusted_system_certificates_path: string;
  volume_mounts: VolumeMount[];
  network?: Network;
  start_timeout_ms: bigint;
  placement_tags: string[];
  max_pids: number;
  certificate_properties?: CertificateProperties;
  image_username: string;
  image_password: string;
  check_definition?: CheckDefinition;
  image_layers: ImageLayer[];
  metric_tags: Record<string, MetricTagValue>;
  sidecars: Sidecar[];
  log_rate_limit?: LogRateLimit;
  volume_mounted_files: File[];
  update_strategy: 'ROLLING' | 'RECREATE';
}
export interface DesiredLRPByProcessGuidRequest {
  process_guid: string;
}
export interface DesiredLRPChangedEvent {
  before?: DesiredLRP;
  after?: DesiredLRP;
  trace_id: string;
}
export interface DesiredLRPCreatedEvent {
  desired_lrp?: DesiredLRP;
  trace_id: string;
}
export interface DesiredLRPKey {
  process_guid: string;
  domain: string;
  log_guid: string;
}
export interface DesiredLRPLifecycleResponse {
  error?: Error;
}
export interface DesiredLRPRemovedEvent {
  desired_lrp?: DesiredLRP;
  trace_id: string;
}
export interface DesiredLRPResource {
  memory_mb: number;
  disk_mb: number;
  root_fs: string;
  max_pids: number;
}
export interface DesiredLRPResponse {
  error?: Error;
  desired_lrp?: DesiredLRP;
}
export interface DesiredLRPSchedulingInfo {
  desired_lrp_key?: DesiredLRPKey;
  annotation: string;
  instances: number;
  desired_lrp_resource?: DesiredLRPResource;
  routes?: ProtoRoutes;
  modification_tag?: ModificationTag;
  volume_placement?: VolumePlacement;
  placement_tags: string[];
}
export interface DesiredLRPSchedulingInfoByProcessGuidResponse {
  error?: Error;
  desired_lrp_scheduling_info?: DesiredLRPSchedulingInfo;
}
export interface DesiredLRPSchedulingInfosResponse {
  error?: Error;
  desired_lrp_scheduling_infos: DesiredLRPSchedulingInfo[];
}
export interface DesiredLRPUpdate {
  instances?: number;
  routes?: ProtoRoutes;
  annotation?: string;
  metric_tags: Record<string, MetricTagValue>;
  image_username?: string;
  image_password?: string;
}
export interface DesiredLRPsRequest {
  domain: string;
  process_guids: string[];
  app_guids: string[];
}
export interface DesiredLRPsResponse {
  error?: Error;
  desired_lrps: DesiredLRP[];
}
export interface DomainsResponse {
  error?: Error;
  domains: string[];
}
export interface DownloadAction {
  artifact: string;
  from: string;
  to: string;
  cache_key: string;
  log_source: string;
  user: string;
  checksum_algorithm: string;
  checksum_value: string;
}
export interface EmitProgressAction {
  action?: Action;
  start_message: string;
  success_message: string;
  failure_message_prefix: string;
  log_source: string;
}
export interface Envelope {
  timestamp: bigint;
  source_id: string;
  instance_id: string;
  deprecated_tags: Record<string, Value>;
  tags: Record<string, string>;
  log?: Log;
  counter?: Counter;
  gauge?: Gauge;
  timer?: Timer;
  event?: Event;
}
export interface EnvelopeBatch {
  batch: Envelope[];
}
export interface EnvironmentVariable {
  name: string;
  value: string;
}
export interface Error {
  type:
    | 'UnknownError'
    | 'InvalidRecord'
    | 'InvalidRequest'
    | 'InvalidResponse'
    | 'InvalidProtobufMessage'
    | 'InvalidJSON'
    | 'FailedToOpenEnvelope'
    | 'InvalidStateTransition'
    | 'ResourceConflict'
    | 'ResourceExists'
    | 'ResourceNotFound'
    | 'RouterError'
    | 'ActualLRPCannotBeClaimed'
    | 'ActualLRPCannotBeStarted'
    | 'ActualLRPCannotBeCrashed'
    | 'ActualLRPCannotBeFailed'
    | 'ActualLRPCannotBeRemoved'
    | 'ActualLRPCannotBeUnclaimed'
    | 'RunningOnDifferentCell'
    | 'GUIDGeneration'
    | 'Deserialize'
    | 'Deadlock'
    | 'Unrecoverable'
    | 'LockCollision'
    | 'Timeout';
  message: string;
}
export interface EvacuateClaimedActualLRPRequest {
  actual_lrp_key?: ActualLRPKey;
  actual_lrp_instance_key?: ActualLRPInstanceKey;
}
export interface EvacuateCrashedActualLRPRequest {
  actual_lrp_key?: ActualLRPKey;
  actual_lrp_instance_key?: ActualLRPInstanceKey;
  error_message: string;
}
export interface EvacuateRunningActualLRPRequest {
  actual_lrp_key?: ActualLRPKey;
  actual_lrp_instance_key?: ActualLRPInstanceKey;
  actual_lrp_net_info?: ActualLRPNetInfo;
  actual_lrp_internal_routes: ActualLRPInternalRoute[];
  metric_tags: Record<string, string>;
  routable?: boolean;
  availability_zone: string;
}
export interface EvacuateStoppedActualLRPRequest {
  actual_lrp_key?: ActualLRPKey;
  actual_lrp_instance_key?: ActualLRPInstanceKey;
}
export interface EvacuationResponse {
  error?: Error;
  keep_container: boolean;
}
export interface Event {
  title: string;
  body: string;
}
export interface EventsByCellId {
  cell_id: string;
}
export interface FailActualLRPRequest {
  actual_lrp_key?: ActualLRPKey;
  error_message: string;
}
export interface FailTaskRequest {
  task_guid: string;
  failure_reason: string;
}
export interface FetchAllRequest {
  type: string;
  type_code: 'UNKNOWN' | 'LOCK' | 'PRESENCE';
}
export interface FetchAllResponse {
  resources: Resource[];
}
export interface FetchRequest {
  key: string;
}
export interface FetchResponse {
  resource?: Resource;
}
export interface File {
  path: string;
  content: string;
}
export interface Gauge {
  metrics: Record<string, GaugeValue>;
}
export interface GaugeValue {
  unit: string;
  value: number;
}
export interface HTTPCheck {
  port: number;
  request_timeout_ms: bigint;
  path: string;
  interval_ms: bigint;
}
export interface ICMPInfo {
  type: number;
  code: number;
}
export interface ImageLayer {
  name: string;
  url: string;
  destination_path: string;
  layer_type: 'LayerTypeInvalid' | 'SHARED' | 'EXCLUSIVE';
  media_type: 'MediaTypeInvalid' | 'TGZ' | 'TAR' | 'ZIP';
  digest_algorithm: 'DigestAlgorithmInvalid' | 'SHA256' | 'SHA512';
  digest_value: string;
}
export interface IngressResponse {}
export interface LockRequest {
  resource?: Resource;
  ttl_in_seconds: bigint;
}
export interface LockResponse {}
export interface Log {
  payload: Uint8Array;
  type: 'OUT' | 'ERR';
}
export interface LogCacheSendRequest {
  envelopes?: EnvelopeBatch;
  local_only: boolean;
}
export interface LogCacheSendResponse {}
export interface LogRateLimit {
  bytes_per_second: bigint;
}
export interface MetricTagValue {
  static: string;
  dynamic: 'DynamicValueInvalid' | 'INDEX' | 'INSTANCE_GUID';
}
export interface ModificationTag {
  epoch: string;
  index: number;
}
export interface Network {
  properties: Record<string, string>;
}
export interface ParallelAction {
  actions: Action[];
  log_source: string;
}
export interface PingResponse {
  available: boolean;
}
export interface PortMapping {
  container_port: number;
  host_port: number;
  container_tls_proxy_port: number;
  host_tls_proxy_port: number;
}
export interface PortRange {
  start: number;
  end: number;
}
export interface ProtoRoutes {
  routes: Record<string, Uint8Array>;
}
export interface Provider {
  name: string;
  properties: string[];
}
export interface RejectTaskRequest {
  task_guid: string;
  rejection_reason: string;
}
export interface ReleaseRequest {
  resource?: Resource;
}
export interface ReleaseResponse {}
export interface RemoveActualLRPRequest {
  process_guid: string;
  index: number;
  actual_lrp_instance_key?: ActualLRPInstanceKey;
}
export interface RemoveDesiredLRPRequest {
  process_guid: string;
}
export interface RemoveEvacuatingActualLRPRequest {
  actual_lrp_key?: ActualLRPKey;
  actual_lrp_instance_key?: ActualLRPInstanceKey;
}
export interface RemoveEvacuatingActualLRPResponse {
  error?: Error;
}
export interface Resource {
  key: string;
  owner: string;
  value: string;
  type: string;
  type_code: 'UNKNOWN' | 'LOCK' | 'PRESENCE';
}
export interface ResourceLimits {
  nofile?: bigint;
  nproc?: bigint;
}
export interface RetireActualLRPRequest {
  actual_lrp_key?: ActualLRPKey;
}
export interface RunAction {
  path: string;
  args: string[];
  dir: string;
  env: EnvironmentVariable[];
  resource_limits?: ResourceLimits;
  user: string;
  log_source: string;
  suppress_log_output: boolean;
  volume_mounted_files: File[];
}
export interface SecurityGroupRule {
  protocol: string;
  destinations: string[];
  ports: number[];
  port_range?: PortRange;
  icmp_info?: ICMPInfo;
  log: boolean;
  annotations: string[];
}
export interface SendResponse {}
export interface SerialAction {
  actions: Action[];
  log_source: string;
}
export interface SharedDevice {
  volume_id: string;
  mount_config: string;
}
export interface Sidecar {
  action?: Action;
  disk_mb: number;
  memory_mb: number;
}
export interface StartActualLRPRequest {
  actual_lrp_key?: ActualLRPKey;
  actual_lrp_instance_key?: ActualLRPInstanceKey;
  actual_lrp_net_info?: ActualLRPNetInfo;
  actual_lrp_internal_routes: ActualLRPInternalRoute[];
  metric_tags: Record<string, string>;
  routable?: boolean;
  availability_zone: string;
}
export interface StartTaskRequest {
  task_guid: string;
  cell_id: string;
}
export interface StartTaskResponse {
  error?: Error;
  should_start: boolean;
}
export interface TCPCheck {
  port: number;
  connect_timeout_ms: bigint;
  interval_ms: bigint;
}
export interface Task {
  task_definition?: TaskDefinition;
  task_guid: string;
  domain: string;
  created_at: bigint;
  updated_at: bigint;
  first_completed_at: bigint;
  state: 'Invalid' | 'Pending' | 'Running' | 'Completed' | 'Resolving';
  cell_id: string;
  result: string;
  failed: boolean;
  failure_reason: string;
  rejection_count: number;
  rejection_reason: string;
}
export interface TaskByGuidRequest {
  task_guid: string;
}
export interface TaskChangedEvent {
  before?: Task;
  after?: Task;
}
export interface TaskCreatedEvent {
  task?: Task;
}
export interface TaskDefinition {
  root_fs: string;
  environment_variables: EnvironmentVariable[];
  action?: Action;
  disk_mb: number;
  memory_mb: number;
  cpu_weight: number;
  privileged: boolean;
  log_source: string;
  log_guid: string;
  metrics_guid: string;
  result_file: string;
  completion_callback_url: string;
  annotation: string;
  egress_rules: SecurityGroupRule[];
  cached_dependencies: CachedDependency[];
  legacy_download_user: string;
  trusted_system_certificates_path: string;
  volume_mounts: VolumeMount[];
  network?: Network;
  placement_tags: string[];
  max_pids: number;
  certificate_properties?: CertificateProperties;
  image_username: string;
  image_password: string;
  image_layers: ImageLayer[];
  log_rate_limit?: LogRateLimit;
  metric_tags: Record<string, MetricTagValue>;
  volume_mounted_files: File[];
}
export interface TaskGuidRequest {
  task_guid: string;
}
export interface TaskLifecycleResponse {
  error?: Error;
}
export interface TaskRemovedEvent {
  task?: Task;
}
export interface TaskResponse {
  error?: Error;
  task?: Task;
}
export interface TasksRequest {
  domain: string;
  cell_id: string;
}
export interface TasksResponse {
  error?: Error;
  tasks: Task[];
}
export interface TimeoutAction {
  action?: Action;
  deprecated_timeout_ns: bigint;
  log_source: string;
  timeout_ms: bigint;
}
export interface Timer {
  name: string;
  start: bigint;
  stop: bigint;
}
export interface TryAction {
  action?: Action;
  log_source: string;
}
export interface UpdateDesiredLRPRequest {
  process_guid: string;
  update?: DesiredLRPUpdate;
}
export interface UploadAction {
  artifact: string;
  from: string;
  to: string;
  log_source: string;
  user: string;
}
export interface UpsertDomainRequest {
  domain: string;
  ttl: number;
}
export interface UpsertDomainResponse {
  error?: Error;
}
export interface Value {
  text?: string;
  integer?: bigint;
  decimal?: number;
}
export interface VolumeMount {
  driver: string;
  container_dir: string;
  mode: string;
  shared?: SharedDevice;
  dedicated?: DedicatedDevice;
}
export interface VolumePlacement {
  driver_names: string[];
}
export interface Messages {
  'models.Action': Action;
  'models.ActualLRP': ActualLRP;
  'models.ActualLRPChangedEvent': ActualLRPChangedEvent;
  'models.ActualLRPCrashedEvent': ActualLRPCrashedEvent;
  'models.ActualLRPCreatedEvent': ActualLRPCreatedEvent;
  'models.ActualLRPGroup': ActualLRPGroup;
  'models.ActualLRPGroupByProcessGuidAndIndexRequest': ActualLRPGroupByProcessGuidAndIndexRequest;
  'models.ActualLRPGroupResponse': ActualLRPGroupResponse;
  'models.ActualLRPGroupsByProcessGuidRequest': ActualLRPGroupsByProcessGuidRequest;
  'models.ActualLRPGroupsRequest': ActualLRPGroupsRequest;
  'models.ActualLRPGroupsResponse': ActualLRPGroupsResponse;
  'models.ActualLRPInfo': ActualLRPInfo;
  'models.ActualLRPInstanceChangedEvent': ActualLRPInstanceChangedEvent;
  'models.ActualLRPInstanceCreatedEvent': ActualLRPInstanceCreatedEvent;
  'models.ActualLRPInstanceKey': ActualLRPInstanceKey;
  'models.ActualLRPInstanceRemovedEvent': ActualLRPInstanceRemovedEvent;
  'models.ActualLRPInternalRoute': ActualLRPInternalRoute;
  'models.ActualLRPKey': ActualLRPKey;
  'models.ActualLRPLifecycleResponse': ActualLRPLifecycleResponse;
  'models.ActualLRPNetInfo': ActualLRPNetInfo;
  'models.ActualLRPRemovedEvent': ActualLRPRemovedEvent;
  'models.ActualLRPsByProcessGuidsRequest': ActualLRPsByProcessGuidsRequest;
  'models.ActualLRPsRequest': ActualLRPsRequest;
  'models.ActualLRPsResponse': ActualLRPsResponse;
  'loggregator.v2.BatchSenderResponse': BatchSenderResponse;
  'models.CachedDependency': CachedDependency;
  'models.CellCapacity': CellCapacity;
  'models.CellPresence': CellPresence;
  'models.CellsResponse': CellsResponse;
  'models.CertificateProperties': CertificateProperties;
  'models.Check': Check;
  'models.CheckDefinition': CheckDefinition;
  'models.ClaimActualLRPRequest': ClaimActualLRPRequest;
  'models.CodependentAction': CodependentAction;
  'models.CompleteTaskRequest': CompleteTaskRequest;
  'loggregator.v2.Counter': Counter;
  'models.CrashActualLRPRequest': CrashActualLRPRequest;
  'models.DedicatedDevice': DedicatedDevice;
  'models.DesireLRPRequest': DesireLRPRequest;
  'models.DesireTaskRequest': DesireTaskRequest;
  'models.DesiredLRP': DesiredLRP;
  'models.DesiredLRPByProcessGuidRequest': DesiredLRPByProcessGuidRequest;
  'models.DesiredLRPChangedEvent': DesiredLRPChangedEvent;
  'models.DesiredLRPCreatedEvent': DesiredLRPCreatedEvent;
  'models.DesiredLRPKey': DesiredLRPKey;
  'models.DesiredLRPLifecycleResponse': DesiredLRPLifecycleResponse;
  'models.DesiredLRPRemovedEvent': DesiredLRPRemovedEvent;
  'models.DesiredLRPResource': DesiredLRPResource;
  'models.DesiredLRPResponse': DesiredLRPResponse;
  'models.DesiredLRPSchedulingInfo': DesiredLRPSchedulingInfo;
  'models.DesiredLRPSchedulingInfoByProcessGuidResponse': DesiredLRPSchedulingInfoByProcessGuidResponse;
  'models.DesiredLRPSchedulingInfosResponse': DesiredLRPSchedulingInfosResponse;
  'models.DesiredLRPUpdate': DesiredLRPUpdate;
  'models.DesiredLRPsRequest': DesiredLRPsRequest;
  'models.DesiredLRPsResponse': DesiredLRPsResponse;
  'models.DomainsResponse': DomainsResponse;
  'models.DownloadAction': DownloadAction;
  'models.EmitProgressAction': EmitProgressAction;
  'loggregator.v2.Envelope': Envelope;
  'loggregator.v2.EnvelopeBatch': EnvelopeBatch;
  'models.EnvironmentVariable': EnvironmentVariable;
  'models.Error': Error;
  'models.EvacuateClaimedActualLRPRequest': EvacuateClaimedActualLRPRequest;
  'models.EvacuateCrashedActualLRPRequest': EvacuateCrashedActualLRPRequest;
  'models.EvacuateRunningActualLRPRequest': EvacuateRunningActualLRPRequest;
  'models.EvacuateStoppedActualLRPRequest': EvacuateStoppedActualLRPRequest;
  'models.EvacuationResponse': EvacuationResponse;
  'loggregator.v2.Event': Event;
  'models.EventsByCellId': EventsByCellId;
  'models.FailActualLRPRequest': FailActualLRPRequest;
  'models.FailTaskRequest': FailTaskRequest;
  'models.FetchAllRequest': FetchAllRequest;
  'models.FetchAllResponse': FetchAllResponse;
  'models.FetchRequest': FetchRequest;
  'models.FetchResponse': FetchResponse;
  'models.File': File;
  'loggregator.v2.Gauge': Gauge;
  'loggregator.v2.GaugeValue': GaugeValue;
  'models.HTTPCheck': HTTPCheck;
  'models.ICMPInfo': ICMPInfo;
  'models.ImageLayer': ImageLayer;
  'loggregator.v2.IngressResponse': IngressResponse;
  'models.LockRequest': LockRequest;
  'models.LockResponse': LockResponse;
  'loggregator.v2.Log': Log;
  'logcache.v1.LogCacheSendRequest': LogCacheSendRequest;
  'logcache.v1.LogCacheSendResponse': LogCacheSendResponse;
  'models.LogRateLimit': LogRateLimit;
  'models.MetricTagValue': MetricTagValue;
  'models.ModificationTag': ModificationTag;
  'models.Network': Network;
  'models.ParallelAction': ParallelAction;
  'models.PingResponse': PingResponse;
  'models.PortMapping': PortMapping;
  'models.PortRange': PortRange;
  'models.ProtoRoutes': ProtoRoutes;
  'models.Provider': Provider;
  'models.RejectTaskRequest': RejectTaskRequest;
  'models.ReleaseRequest': ReleaseRequest;
  'models.ReleaseResponse': ReleaseResponse;
  'models.RemoveActualLRPRequest': RemoveActualLRPRequest;
  'models.RemoveDesiredLRPRequest': RemoveDesiredLRPRequest;
  'models.RemoveEvacuatingActualLRPRequest': RemoveEvacuatingActualLRPRequest;
  'models.RemoveEvacuatingActualLRPResponse': RemoveEvacuatingActualLRPResponse;
  'models.Resource': Resource;
  'models.ResourceLimits': ResourceLimits;
  'models.RetireActualLRPRequest': RetireActualLRPRequest;
  'models.RunAction': RunAction;
  'models.SecurityGroupRule': SecurityGroupRule;
  'loggregator.v2.SendResponse': SendResponse;
  'models.SerialAction': SerialAction;
  'models.SharedDevice': SharedDevice;
  'models.Sidecar': Sidecar;
  'models.StartActualLRPRequest': StartActualLRPRequest;
  'models.StartTaskRequest': StartTaskRequest;
  'models.StartTaskResponse': StartTaskResponse;
  'models.TCPCheck': TCPCheck;
  'models.Task': Task;
  'models.TaskByGuidRequest': TaskByGuidRequest;
  'models.TaskChangedEvent': TaskChangedEvent;
  'models.TaskCreatedEvent': TaskCreatedEvent;
  'models.TaskDefinition': TaskDefinition;
  'models.TaskGuidRequest': TaskGuidRequest;
  'models.TaskLifecycleResponse': TaskLifecycleResponse;
  'models.TaskRemovedEvent': TaskRemovedEvent;
  'models.TaskResponse': TaskResponse;
  'models.TasksRequest': TasksRequest;
  'models.TasksResponse': TasksResponse;
  'models.TimeoutAction': TimeoutAction;
  'loggregator.v2.Timer': Timer;
  'models.TryAction': TryAction;
  'models.UpdateDesiredLRPRequest': UpdateDesiredLRPRequest;
  'models.UploadAction': UploadAction;
  'models.UpsertDomainRequest': UpsertDomainRequest;
  'models.UpsertDomainResponse': UpsertDomainResponse;
  'loggregator.v2.Value': Value;
  'models.VolumeMount': VolumeMount;
  'models.VolumePlacement': VolumePlacement;
}
export const descriptor = {
  nested: {
    models: {
      nested: {
        Error: {
          fields: { type: { type: 'Type', id: 1 }, message: { type: 'string', id: 2 } },
          nested: {
            Type: {
              values: {
                UnknownError: 0,
                InvalidRecord: 3,
                InvalidRequest: 4,
                InvalidResponse: 5,
                InvalidProtobufMessage: 6,
                InvalidJSON: 7,
                FailedToOpenEnvelope: 8,
                InvalidStateTransition: 9,
                ResourceConflict: 11,
                ResourceExists: 12,
                ResourceNotFound: 13,
                RouterError: 14,
                ActualLRPCannotBeClaimed: 15,
                ActualLRPCannotBeStarted: 16,
                ActualLRPCannotBeCrashed: 17,
                ActualLRPCannotBeFailed: 18,
                ActualLRPCannotBeRemoved: 19,
                ActualLRPCannotBeUnclaimed: 21,
                RunningOnDifferentCell: 24,
                GUIDGeneration: 26,
                Deserialize: 27,
                Deadlock: 28,
                Unrecoverable: 29,
                LockCollision: 30,
                Timeout: 31,
              },
            },
          },
        },
        PingResponse: { fields: { available: { type: 'bool', id: 1 } } },
        DomainsResponse: {
          fields: { error: { type: 'Error', id: 1 }, domains: { rule: 'repeated', type: 'string', id: 2 } },
        },
        UpsertDomainRequest: { fields: { domain: { type: 'string', id: 1 }, ttl: { type: 'uint32', id: 2 } } },
        UpsertDomainResponse: { fields: { error: { type: 'Error', id: 1 } } },
        CellCapacity: {
          fields: {
            memory_mb: { type: 'int32', id: 1 },
            disk_mb: { type: 'int32', id: 2 },
            containers: { type: 'int32', id: 3 },
          },
        },
        Provider: {
          fields: { name: { type: 'string', id: 1 }, properties: { rule: 'repeated', type: 'string', id: 2 } },
        },
        CellPresence: {
          fields: {
            cell_id: { type: 'string', id: 1 },
            rep_address: { type: 'string', id: 2 },
            zone: { type: 'string', id: 3 },
            capacity: { type: 'CellCapacity', id: 4 },
            rootfs_providers: { rule: 'repeated', type: 'Provider', id: 5 },
            placement_tags: { rule: 'repeated', type: 'string', id: 6 },
            optional_placement_tags: { rule: 'repeated', type: 'string', id: 7 },
            rep_url: { type: 'string', id: 8 },
            annotations: { keyType: 'string', type: 'string', id: 9 },
          },
        },
        CellsResponse: {
          fields: { error: { type: 'Error', id: 1 }, cells: { rule: 'repeated', type: 'CellPresence', id: 2 } },
        },
        ActualLRPKey: {
          fields: {
            process_guid: { type: 'string', id: 1 },
            index: { type: 'int32', id: 2 },
            domain: { type: 'string', id: 3 },
          },
        },
        ActualLRPInstanceKey: {
          fields: { instance_guid: { type: 'string', id: 1 }, cell_id: { type: 'string', id: 2 } },
        },
        PortMapping: {
          fields: {
            container_port: { type: 'uint32', id: 1 },
            host_port: { type: 'uint32', id: 2 },
            container_tls_proxy_port: { type: 'uint32', id: 3 },
            host_tls_proxy_port: { type: 'uint32', id: 4 },
          },
        },
        ActualLRPNetInfo: {
          fields: {
            address: { type: 'string', id: 1 },
            ports: { rule: 'repeated', type: 'PortMapping', id: 2 },
            instance_address: { type: 'string', id: 3 },
            preferred_address: { type: 'PreferredAddress', id: 4 },
            instance_ipv6_address: { type: 'string', id: 5 },
          },
          nested: { PreferredAddress: { values: { UNKNOWN: 0, INSTANCE: 1, HOST: 2 } } },
        },
        ActualLRPInternalRoute: { fields: { hostname: { type: 'string', id: 1 } } },
        ModificationTag: { fields: { epoch: { type: 'string', id: 1 }, index: { type: 'uint32', id: 2 } } },
        ActualLRP: {
          oneofs: { _routable: { oneof: ['routable'] } },
          fields: {
            actual_lrp_key: { type: 'ActualLRPKey', id: 1 },
            actual_lrp_instance_key: { type: 'ActualLRPInstanceKey', id: 2 },
            actual_lrp_net_info: { type: 'ActualLRPNetInfo', id: 3 },
            crash_count: { type: 'int32', id: 4 },
            crash_reason: { type: 'string', id: 5 },
            state: { type: 'string', id: 6 },
            placement_error: { type: 'string', id: 7 },
            since: { type: 'int64', id: 8 },
            modification_tag: { type: 'ModificationTag', id: 9 },
            presence: { type: 'Presence', id: 10 },
            actual_lrp_internal_routes: { rule: 'repeated', type: 'ActualLRPInternalRoute', id: 11 },
            metric_tags: { keyType: 'string', type: 'string', id: 12 },
            routable: { type: 'bool', id: 13, options: { proto3_optional: true } },
            availability_zone: { type: 'string', id: 14 },
          },
          nested: { Presence: { values: { ORDINARY: 0, EVACUATING: 1, SUSPECT: 2 } } },
        },
        ActualLRPGroup: {
          fields: { instance: { type: 'ActualLRP', id: 1 }, evacuating: { type: 'ActualLRP', id: 2 } },
        },
        ActualLRPGroupResponse: {
          fields: { error: { type: 'Error', id: 1 }, actual_lrp_group: { type: 'ActualLRPGroup', id: 2 } },
        },
        ActualLRPGroupsResponse: {
          fields: {
            error: { type: 'Error', id: 1 },
            actual_lrp_groups: { rule: 'repeated', type: 'ActualLRPGroup', id: 2 },
          },
        },
        ActualLRPGroupsRequest: { fields: { domain: { type: 'string', id: 1 }, cell_id: { type: 'string', id: 2 } } },
        ActualLRPGroupsByProcessGuidRequest: { fields: { process_guid: { type: 'string', id: 1 } } },
        ActualLRPGroupByProcessGuidAndIndexRequest: {
          fields: { process_guid: { type: 'string', id: 1 }, index: { type: 'int32', id: 2 } },
        },
        ActualLRPsRequest: {
          oneofs: { _index: { oneof: ['index'] } },
          fields: {
            domain: { type: 'string', id: 1 },
            cell_id: { type: 'string', id: 2 },
            process_guid: { type: 'string', id: 3 },
            index: { type: 'int32', id: 4, options: { proto3_optional: true } },
          },
        },
        ActualLRPsByProcessGuidsRequest: { fields: { process_guids: { rule: 'repeated', type: 'string', id: 1 } } },
        ActualLRPsResponse: {
          fields: { error: { type: 'Error', id: 1 }, actual_lrps: { rule: 'repeated', type: 'ActualLRP', id: 2 } },
        },
        ActualLRPLifecycleResponse: { fields: { error: { type: 'Error', id: 1 } } },
        ClaimActualLRPRequest: {
          fields: {
            process_guid: { type: 'string', id: 1 },
            index: { type: 'int32', id: 2 },
            actual_lrp_instance_key: { type: 'ActualLRPInstanceKey', id: 3 },
          },
        },
        StartActualLRPRequest: {
          oneofs: { _routable: { oneof: ['routable'] } },
          fields: {
            actual_lrp_key: { type: 'ActualLRPKey', id: 1 },
            actual_lrp_instance_key: { type: 'ActualLRPInstanceKey', id: 2 },
            actual_lrp_net_info: { type: 'ActualLRPNetInfo', id: 3 },
            actual_lrp_internal_routes: { rule: 'repeated', type: 'ActualLRPInternalRoute', id: 4 },
            metric_tags: { keyType: 'string', type: 'string', id: 5 },
            routable: { type: 'bool', id: 6, options: { proto3_optional: true } },
            availability_zone: { type: 'string', id: 7 },
          },
        },
        CrashActualLRPRequest: {
          fields: {
            actual_lrp_key: { type: 'ActualLRPKey', id: 1 },
            actual_lrp_instance_key: { type: 'ActualLRPInstanceKey', id: 2 },
            error_message: { type: 'string', id: 3 },
          },
        },
        FailActualLRPRequest: {
          fields: { actual_lrp_key: { type: 'ActualLRPKey', id: 1 }, error_message: { type: 'string', id: 2 } },
        },
        RetireActualLRPRequest: { fields: { actual_lrp_key: { type: 'ActualLRPKey', id: 1 } } },
        RemoveActualLRPRequest: {
          fields: {
            process_guid: { type: 'string', id: 1 },
            index: { type: 'int32', id: 2 },
            actual_lrp_instance_key: { type: 'ActualLRPInstanceKey', id: 3 },
          },
        },
        EvacuationResponse: { fields: { error: { type: 'Error', id: 1 }, keep_container: { type: 'bool', id: 2 } } },
        EvacuateClaimedActualLRPRequest: {
          fields: {
            actual_lrp_key: { type: 'ActualLRPKey', id: 1 },
            actual_lrp_instance_key: { type: 'ActualLRPInstanceKey', id: 2 },
          },
        },
        EvacuateRunningActualLRPRequest: {
          oneofs: { _routable: { oneof: ['routable'] } },
          fields: {
            actual_lrp_key: { type: 'ActualLRPKey', id: 1 },
            actual_lrp_instance_key: { type: 'ActualLRPInstanceKey', id: 2 },
            actual_lrp_net_info: { type: 'ActualLRPNetInfo', id: 3 },
            actual_lrp_internal_routes: { rule: 'repeated', type: 'ActualLRPInternalRoute', id: 5 },
            metric_tags: { keyType: 'string', type: 'string', id: 6 },
            routable: { type: 'bool', id: 7, options: { proto3_optional: true } },
            availability_zone: { type: 'string', id: 8 },
          },
          reserved: [[4, 4]],
        },
        EvacuateStoppedActualLRPRequest: {
          fields: {
            actual_lrp_key: { type: 'ActualLRPKey', id: 1 },
            actual_lrp_instance_key: { type: 'ActualLRPInstanceKey', id: 2 },
          },
        },
        EvacuateCrashedActualLRPRequest: {
          fields: {
            actual_lrp_key: { type: 'ActualLRPKey', id: 1 },
            actual_lrp_instance_key: { type: 'ActualLRPInstanceKey', id: 2 },
            error_message: { type: 'string', id: 3 },
          },
        },
        RemoveEvacuatingActualLRPRequest: {
          fields: {
            actual_lrp_key: { type: 'ActualLRPKey', id: 1 },
            actual_lrp_instance_key: { type: 'ActualLRPInstanceKey', id: 2 },
          },
        },
        RemoveEvacuatingActualLRPResponse: { fields: { error: { type: 'Error', id: 1 } } },
        EnvironmentVariable: { fields: { name: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } } },
        File: { fields: { path: { type: 'string', id: 1 }, content: { type: 'string', id: 2 } } },
        CachedDependency: {
          fields: {
            name: { type: 'string', id: 1 },
            from: { type: 'string', id: 2 },
            to: { type: 'string', id: 3 },
            cache_key: { type: 'string', id: 4 },
            log_source: { type: 'string', id: 5 },
            checksum_algorithm: { type: 'string', id: 6 },
            checksum_value: { type: 'string', id: 7 },
          },
        },
        ImageLayer: {
          fields: {
            name: { type: 'string', id: 1 },
            url: { type: 'string', id: 2 },
            destination_path: { type: 'string', id: 3 },
            layer_type: { type: 'Type', id: 4 },
            media_type: { type: 'MediaType', id: 5 },
            digest_algorithm: { type: 'DigestAlgorithm', id: 6 },
            digest_value: { type: 'string', id: 7 },
          },
          nested: {
            Type: { values: { LayerTypeInvalid: 0, SHARED: 1, EXCLUSIVE: 2 } },
            MediaType: { values: { MediaTypeInvalid: 0, TGZ: 1, TAR: 2, ZIP: 3 } },
            DigestAlgorithm: { values: { DigestAlgorithmInvalid: 0, SHA256: 1, SHA512: 2 } },
          },
        },
        TCPCheck: {
          fields: {
            port: { type: 'uint32', id: 1 },
            connect_timeout_ms: { type: 'uint64', id: 2 },
            interval_ms: { type: 'uint64', id: 3 },
          },
        },
        HTTPCheck: {
          fields: {
            port: { type: 'uint32', id: 1 },
            request_timeout_ms: { type: 'uint64', id: 2 },
            path: { type: 'string', id: 3 },
            interval_ms: { type: 'uint64', id: 4 },
          },
        },
        Check: { fields: { tcp_check: { type: 'TCPCheck', id: 1 }, http_check: { type: 'HTTPCheck', id: 2 } } },
        CheckDefinition: {
          fields: {
            checks: { rule: 'repeated', type: 'Check', id: 1 },
            log_source: { type: 'string', id: 2 },
            readiness_checks: { rule: 'repeated', type: 'Check', id: 3 },
          },
        },
        Network: { fields: { properties: { keyType: 'string', type: 'string', id: 1 } } },
        CertificateProperties: { fields: { organizational_unit: { rule: 'repeated', type: 'string', id: 1 } } },
        LogRateLimit: { fields: { bytes_per_second: { type: 'int64', id: 1 } } },
        MetricTagValue: {
          fields: { static: { type: 'string', id: 1 }, dynamic: { type: 'DynamicValue', id: 2 } },
          nested: { DynamicValue: { values: { DynamicValueInvalid: 0, INDEX: 1, INSTANCE_GUID: 2 } } },
        },
        Sidecar: {
          fields: {
            action: { type: 'Action', id: 1 },
            disk_mb: { type: 'int32', id: 2 },
            memory_mb: { type: 'int32', id: 3 },
          },
        },
        SharedDevice: { fields: { volume_id: { type: 'string', id: 1 }, mount_config: { type: 'string', id: 2 } } },
        DedicatedDevice: {
          fields: {
            mounter_id: { type: 'string', id: 1 },
            mount_config: { type: 'string', id: 2 },
            device_config: { type: 'string', id: 3 },
          },
        },
        VolumeMount: {
          fields: {
            driver: { type: 'string', id: 1 },
            container_dir: { type: 'string', id: 3 },
            mode: { type: 'string', id: 6 },
            shared: { type: 'SharedDevice', id: 7 },
            dedicated: { type: 'DedicatedDevice', id: 8 },
          },
          reserved: [
            [2, 2],
            [4, 4],
            [5, 5],
          ],
        },
        PortRange: { fields: { start: { type: 'uint32', id: 1 }, end: { type: 'uint32', id: 2 } } },
        ICMPInfo: { fields: { type: { type: 'int32', id: 1 }, code: { type: 'int32', id: 2 } } },
        SecurityGroupRule: {
          fields: {
            protocol: { type: 'string', id: 1 },
            destinations: { rule: 'repeated', type: 'string', id: 2 },
            ports: { rule: 'repeated', type: 'uint32', id: 3, options: { packed: false } },
            port_range: { type: 'PortRange', id: 4 },
            icmp_info: { type: 'ICMPInfo', id: 5 },
            log: { type: 'bool', id: 6 },
            annotations: { rule: 'repeated', type: 'string', id: 7 },
          },
        },
        ProtoRoutes: { fields: { routes: { keyType: 'string', type: 'bytes', id: 1 } } },
        ResourceLimits: {
          oneofs: { _nofile: { oneof: ['nofile'] }, _nproc: { oneof: ['nproc'] } },
          fields: {
            nofile: { type: 'uint64', id: 1, options: { proto3_optional: true } },
            nproc: { type: 'uint64', id: 2, options: { proto3_optional: true } },
          },
        },
        DownloadAction: {
          fields: {
            artifact: { type: 'string', id: 1 },
            from: { type: 'string', id: 2 },
            to: { type: 'string', id: 3 },
            cache_key: { type: 'string', id: 4 },
            log_source: { type: 'string', id: 5 },
            user: { type: 'string', id: 6 },
            checksum_algorithm: { type: 'string', id: 7 },
            checksum_value: { type: 'string', id: 8 },
          },
        },
        UploadAction: {
          fields: {
            artifact: { type: 'string', id: 1 },
            from: { type: 'string', id: 2 },
            to: { type: 'string', id: 3 },
            log_source: { type: 'string', id: 4 },
            user: { type: 'string', id: 5 },
          },
        },
        RunAction: {
          fields: {
            path: { type: 'string', id: 1 },
            args: { rule: 'repeated', type: 'string', id: 2 },
            dir: { type: 'string', id: 3 },
            env: { rule: 'repeated', type: 'EnvironmentVariable', id: 4 },
            resource_limits: { type: 'ResourceLimits', id: 5 },
            user: { type: 'string', id: 6 },
            log_source: { type: 'string', id: 7 },
            suppress_log_output: { type: 'bool', id: 8 },
            volume_mounted_files: { rule: 'repeated', type: 'File', id: 9 },
          },
        },
        TimeoutAction: {
          fields: {
            action: { type: 'Action', id: 1 },
            deprecated_timeout_ns: { type: 'int64', id: 2 },
            log_source: { type: 'string', id: 3 },
            timeout_ms: { type: 'int64', id: 4 },
          },
        },
        EmitProgressAction: {
          fields: {
            action: { type: 'Action', id: 1 },
            start_message: { type: 'string', id: 2 },
            success_message: { type: 'string', id: 3 },
            failure_message_prefix: { type: 'string', id: 4 },
            log_source: { type: 'string', id: 5 },
          },
        },
        TryAction: { fields: { action: { type: 'Action', id: 1 }, log_source: { type: 'string', id: 2 } } },
        ParallelAction: {
          fields: { actions: { rule: 'repeated', type: 'Action', id: 1 }, log_source: { type: 'string', id: 2 } },
        },
        SerialAction: {
          fields: { actions: { rule: 'repeated', type: 'Action', id: 1 }, log_source: { type: 'string', id: 2 } },
        },
        CodependentAction: {
          fields: { actions: { rule: 'repeated', type: 'Action', id: 1 }, log_source: { type: 'string', id: 2 } },
        },
        Action: {
          fields: {
            download_action: { type: 'DownloadAction', id: 1 },
            upload_action: { type: 'UploadAction', id: 2 },
            run_action: { type: 'RunAction', id: 3 },
            timeout_action: { type: 'TimeoutAction', id: 4 },
            emit_progress_action: { type: 'EmitProgressAction', id: 5 },
            try_action: { type: 'TryAction', id: 6 },
            parallel_action: { type: 'ParallelAction', id: 7 },
            serial_action: { type: 'SerialAction', id: 8 },
            codependent_action: { type: 'CodependentAction', id: 9 },
          },
        },
        DesiredLRP: {
          fields: {
            process_guid: { type: 'string', id: 1 },
            domain: { type: 'string', id: 2 },
            root_fs: { type: 'string', id: 3 },
            instances: { type: 'int32', id: 4 },
            environment_variables: { rule: 'repeated', type: 'EnvironmentVariable', id: 5 },
            setup: { type: 'Action', id: 6 },
            action: { type: 'Action', id: 7 },
            deprecated_start_timeout_s: { type: 'uint32', id: 8 },
            monitor: { type: 'Action', id: 9 },
            disk_mb: { type: 'int32', id: 10 },
            memory_mb: { type: 'int32', id: 11 },
            cpu_weight: { type: 'uint32', id: 12 },
            privileged: { type: 'bool', id: 13 },
            ports: { rule: 'repeated', type: 'uint32', id: 14, options: { packed: false } },
            routes: { type: 'ProtoRoutes', id: 15 },
            log_source: { type: 'string', id: 16 },
            log_guid: { type: 'string', id: 17 },
            metrics_guid: { type: 'string', id: 18 },
            annotation: { type: 'string', id: 19 },
            egress_rules: { rule: 'repeated', type: 'SecurityGroupRule', id: 20 },
            modification_tag: { type: 'ModificationTag', id: 21 },
            cached_dependencies: { rule: 'repeated', type: 'CachedDependency', id: 22 },
            legacy_download_user: { type: 'string', id: 23 },
            trusted_system_certificates_path: { type: 'string', id: 24 },
            volume_mounts: { rule: 'repeated', type: 'VolumeMount', id: 25 },
            network: { type: 'Network', id: 26 },
            start_timeout_ms: { type: 'int64', id: 27 },
            placement_tags: { rule: 'repeated', type: 'string', id: 28 },
            max_pids: { type: 'int32', id: 29 },
            certificate_properties: { type: 'CertificateProperties', id: 30 },
            image_username: { type: 'string', id: 31 },
            image_password: { type: 'string', id: 32 },
            check_definition: { type: 'CheckDefinition', id: 33 },
            image_layers: { rule: 'repeated', type: 'ImageLayer', id: 34 },
            metric_tags: { keyType: 'string', type: 'MetricTagValue', id: 35 },
            sidecars: { rule: 'repeated', type: 'Sidecar', id: 36 },
            log_rate_limit: { type: 'LogRateLimit', id: 37 },
            volume_mounted_files: { rule: 'repeated', type: 'File', id: 38 },
            update_strategy: { type: 'UpdateStrategy', id: 39 },
          },
          nested: { UpdateStrategy: { values: { ROLLING: 0, RECREATE: 1 } } },
        },
        DesiredLRPKey: {
          fields: {
            process_guid: { type: 'string', id: 1 },
            domain: { type: 'string', id: 2 },
            log_guid: { type: 'string', id: 3 },
          },
        },
        DesiredLRPResource: {
          fields: {
            memory_mb: { type: 'int32', id: 1 },
            disk_mb: { type: 'int32', id: 2 },
            root_fs: { type: 'string', id: 3 },
            max_pids: { type: 'int32', id: 4 },
          },
        },
        VolumePlacement: { fields: { driver_names: { rule: 'repeated', type: 'string', id: 1 } } },
        DesiredLRPSchedulingInfo: {
          fields: {
            desired_lrp_key: { type: 'DesiredLRPKey', id: 1 },
            annotation: { type: 'string', id: 2 },
            instances: { type: 'int32', id: 3 },
            desired_lrp_resource: { type: 'DesiredLRPResource', id: 4 },
            routes: { type: 'ProtoRoutes', id: 5 },
            modification_tag: { type: 'ModificationTag', id: 6 },
            volume_placement: { type: 'VolumePlacement', id: 7 },
            placement_tags: { rule: 'repeated', type: 'string', id: 8 },
          },
        },
        DesiredLRPUpdate: {
          oneofs: {
            _instances: { oneof: ['instances'] },
            _annotation: { oneof: ['annotation'] },
            _image_username: { oneof: ['image_username'] },
            _image_password: { oneof: ['image_password'] },
          },
          fields: {
            instances: { type: 'int32', id: 1, options: { proto3_optional: true } },
            routes: { type: 'ProtoRoutes', id: 2 },
            annotation: { type: 'string', id: 3, options: { proto3_optional: true } },
            metric_tags: { keyType: 'string', type: 'MetricTagValue', id: 4 },
            image_username: { type: 'string', id: 5, options: { proto3_optional: true } },
            image_password: { type: 'string', id: 6, options: { proto3_optional: true } },
          },
        },
        DesiredLRPsRequest: {
          fields: {
            domain: { type: 'string', id: 1 },
            process_guids: { rule: 'repeated', type: 'string', id: 2 },
            app_guids: { rule: 'repeated', type: 'string', id: 3 },
          },
        },
        DesiredLRPsResponse: {
          fields: { error: { type: 'Error', id: 1 }, desired_lrps: { rule: 'repeated', type: 'DesiredLRP', id: 2 } },
        },
        DesiredLRPByProcessGuidRequest: { fields: { process_guid: { type: 'string', id: 1 } } },
        DesiredLRPResponse: { fields: { error: { type: 'Error', id: 1 }, desired_lrp: { type: 'DesiredLRP', id: 2 } } },
        DesiredLRPSchedulingInfosResponse: {
          fields: {
            error: { type: 'Error', id: 1 },
            desired_lrp_scheduling_infos: { rule: 'repeated', type: 'DesiredLRPSchedulingInfo', id: 2 },
          },
        },
        DesiredLRPSchedulingInfoByProcessGuidResponse: {
          fields: {
            error: { type: 'Error', id: 1 },
            desired_lrp_scheduling_info: { type: 'DesiredLRPSchedulingInfo', id: 2 },
          },
        },
        DesireLRPRequest: { fields: { desired_lrp: { type: 'DesiredLRP', id: 1 } } },
        UpdateDesiredLRPRequest: {
          fields: { process_guid: { type: 'string', id: 1 }, update: { type: 'DesiredLRPUpdate', id: 2 } },
        },
        RemoveDesiredLRPRequest: { fields: { process_guid: { type: 'string', id: 1 } } },
        DesiredLRPLifecycleResponse: { fields: { error: { type: 'Error', id: 1 } } },
        TaskDefinition: {
          fields: {
            root_fs: { type: 'string', id: 1 },
            environment_variables: { rule: 'repeated', type: 'EnvironmentVariable', id: 2 },
            action: { type: 'Action', id: 3 },
            disk_mb: { type: 'int32', id: 4 },
            memory_mb: { type: 'int32', id: 5 },
            cpu_weight: { type: 'uint32', id: 6 },
            privileged: { type: 'bool', id: 7 },
            log_source: { type: 'string', id: 8 },
            log_guid: { type: 'string', id: 9 },
            metrics_guid: { type: 'string', id: 10 },
            result_file: { type: 'string', id: 11 },
            completion_callback_url: { type: 'string', id: 12 },
            annotation: { type: 'string', id: 13 },
            egress_rules: { rule: 'repeated', type: 'SecurityGroupRule', id: 14 },
            cached_dependencies: { rule: 'repeated', type: 'CachedDependency', id: 15 },
            legacy_download_user: { type: 'string', id: 16 },
            trusted_system_certificates_path: { type: 'string', id: 17 },
            volume_mounts: { rule: 'repeated', type: 'VolumeMount', id: 18 },
            network: { type: 'Network', id: 19 },
            placement_tags: { rule: 'repeated', type: 'string', id: 20 },
            max_pids: { type: 'int32', id: 21 },
            certificate_properties: { type: 'CertificateProperties', id: 22 },
            image_username: { type: 'string', id: 23 },
            image_password: { type: 'string', id: 24 },
            image_layers: { rule: 'repeated', type: 'ImageLayer', id: 25 },
            log_rate_limit: { type: 'LogRateLimit', id: 26 },
            metric_tags: { keyType: 'string', type: 'MetricTagValue', id: 27 },
            volume_mounted_files: { rule: 'repeated', type: 'File', id: 28 },
          },
        },
        Task: {
          fields: {
            task_definition: { type: 'TaskDefinition', id: 1 },
            task_guid: { type: 'string', id: 2 },
            domain: { type: 'string', id: 3 },
            created_at: { type: 'int64', id: 4 },
            updated_at: { type: 'int64', id: 5 },
            first_completed_at: { type: 'int64', id: 6 },
            state: { type: 'State', id: 7 },
            cell_id: { type: 'string', id: 8 },
            result: { type: 'string', id: 9 },
            failed: { type: 'bool', id: 10 },
            failure_reason: { type: 'string', id: 11 },
            rejection_count: { type: 'int32', id: 12 },
            rejection_reason: { type: 'string', id: 13 },
          },
          nested: { State: { values: { Invalid: 0, Pending: 1, Running: 2, Completed: 3, Resolving: 4 } } },
        },
        TasksRequest: { fields: { domain: { type: 'string', id: 1 }, cell_id: { type: 'string', id: 2 } } },
        TasksResponse: {
          fields: { error: { type: 'Error', id: 1 }, tasks: { rule: 'repeated', type: 'Task', id: 2 } },
        },
        TaskByGuidRequest: { fields: { task_guid: { type: 'string', id: 1 } } },
        TaskResponse: { fields: { error: { type: 'Error', id: 1 }, task: { type: 'Task', id: 2 } } },
        DesireTaskRequest: {
          fields: {
            task_definition: { type: 'TaskDefinition', id: 1 },
            task_guid: { type: 'string', id: 2 },
            domain: { type: 'string', id: 3 },
          },
        },
        TaskLifecycleResponse: { fields: { error: { type: 'Error', id: 1 } } },
        StartTaskRequest: { fields: { task_guid: { type: 'string', id: 1 }, cell_id: { type: 'string', id: 2 } } },
        StartTaskResponse: { fields: { error: { type: 'Error', id: 1 }, should_start: { type: 'bool', id: 2 } } },
        TaskGuidRequest: { fields: { task_guid: { type: 'string', id: 1 } } },
        FailTaskRequest: {
          fields: { task_guid: { type: 'string', id: 1 }, failure_reason: { type: 'string', id: 2 } },
        },
        RejectTaskRequest: {
          fields: { task_guid: { type: 'string', id: 1 }, rejection_reason: { type: 'string', id: 2 } },
        },
        CompleteTaskRequest: {
          fields: {
            task_guid: { type: 'string', id: 1 },
            cell_id: { type: 'string', id: 2 },
            failed: { type: 'bool', id: 3 },
            failure_reason: { type: 'string', id: 4 },
            result: { type: 'string', id: 5 },
          },
        },
        EventsByCellId: { fields: { cell_id: { type: 'string', id: 1 } } },
        DesiredLRPCreatedEvent: {
          fields: { desired_lrp: { type: 'DesiredLRP', id: 1 }, trace_id: { type: 'string', id: 2 } },
        },
        DesiredLRPChangedEvent: {
          fields: {
            before: { type: 'DesiredLRP', id: 1 },
            after: { type: 'DesiredLRP', id: 2 },
            trace_id: { type: 'string', id: 3 },
          },
        },
        DesiredLRPRemovedEvent: {
          fields: { desired_lrp: { type: 'DesiredLRP', id: 1 }, trace_id: { type: 'string', id: 2 } },
        },
        ActualLRPInfo: {
          oneofs: { _routable: { oneof: ['routable'] } },
          fields: {
            actual_lrp_net_info: { type: 'ActualLRPNetInfo', id: 3 },
            crash_count: { type: 'int32', id: 4 },
            crash_reason: { type: 'string', id: 5 },
            state: { type: 'string', id: 6 },
            placement_error: { type: 'string', id: 7 },
            since: { type: 'int64', id: 8 },
            modification_tag: { type: 'ModificationTag', id: 9 },
            presence: { type: 'ActualLRP.Presence', id: 10 },
            routable: { type: 'bool', id: 11, options: { proto3_optional: true } },
            availability_zone: { type: 'string', id: 12 },
          },
        },
        ActualLRPInstanceCreatedEvent: {
          fields: { actual_lrp: { type: 'ActualLRP', id: 1 }, trace_id: { type: 'string', id: 2 } },
        },
        ActualLRPInstanceChangedEvent: {
          fields: {
            actual_lrp_key: { type: 'ActualLRPKey', id: 1 },
            actual_lrp_instance_key: { type: 'ActualLRPInstanceKey', id: 2 },
            before: { type: 'ActualLRPInfo', id: 3 },
            after: { type: 'ActualLRPInfo', id: 4 },
            trace_id: { type: 'string', id: 5 },
          },
        },
        ActualLRPInstanceRemovedEvent: {
          fields: { actual_lrp: { type: 'ActualLRP', id: 1 }, trace_id: { type: 'string', id: 2 } },
        },
        ActualLRPCrashedEvent: {
          fields: {
            actual_lrp_key: { type: 'ActualLRPKey', id: 1 },
            actual_lrp_instance_key: { type: 'ActualLRPInstanceKey', id: 2 },
            crash_count: { type: 'int32', id: 3 },
            crash_reason: { type: 'string', id: 4 },
            since: { type: 'int64', id: 5 },
          },
        },
        ActualLRPCreatedEvent: { fields: { actual_lrp_group: { type: 'ActualLRPGroup', id: 1 } } },
        ActualLRPChangedEvent: {
          fields: { before: { type: 'ActualLRPGroup', id: 1 }, after: { type: 'ActualLRPGroup', id: 2 } },
        },
        ActualLRPRemovedEvent: { fields: { actual_lrp_group: { type: 'ActualLRPGroup', id: 1 } } },
        TaskCreatedEvent: { fields: { task: { type: 'Task', id: 1 } } },
        TaskChangedEvent: { fields: { before: { type: 'Task', id: 1 }, after: { type: 'Task', id: 2 } } },
        TaskRemovedEvent: { fields: { task: { type: 'Task', id: 1 } } },
        TypeCode: { values: { UNKNOWN: 0, LOCK: 1, PRESENCE: 2 } },
        Resource: {
          fields: {
            key: { type: 'string', id: 1 },
            owner: { type: 'string', id: 2 },
            value: { type: 'string', id: 3 },
            type: { type: 'string', id: 4 },
            type_code: { type: 'TypeCode', id: 5 },
          },
        },
        LockRequest: { fields: { resource: { type: 'Resource', id: 1 }, ttl_in_seconds: { type: 'int64', id: 2 } } },
        LockResponse: { fields: {} },
        ReleaseRequest: { fields: { resource: { type: 'Resource', id: 1 } } },
        ReleaseResponse: { fields: {} },
        FetchRequest: { fields: { key: { type: 'string', id: 1 } } },
        FetchResponse: { fields: { resource: { type: 'Resource', id: 1 } } },
        FetchAllRequest: { fields: { type: { type: 'string', id: 1 }, type_code: { type: 'TypeCode', id: 2 } } },
        FetchAllResponse: { fields: { resources: { rule: 'repeated', type: 'Resource', id: 1 } } },
      },
    },
    logcache: {
      nested: {
        v1: {
          nested: {
            LogCacheSendRequest: {
              fields: {
                envelopes: { type: 'loggregator.v2.EnvelopeBatch', id: 1 },
                local_only: { type: 'bool', id: 2 },
              },
            },
            LogCacheSendResponse: { fields: {} },
          },
        },
      },
    },
    loggregator: {
      nested: {
        v2: {
          nested: {
            EnvelopeBatch: { fields: { batch: { rule: 'repeated', type: 'Envelope', id: 1 } } },
            Envelope: {
              oneofs: { message: { oneof: ['log', 'counter', 'gauge', 'timer', 'event'] } },
              fields: {
                timestamp: { type: 'int64', id: 1 },
                source_id: { type: 'string', id: 2 },
                instance_id: { type: 'string', id: 8 },
                deprecated_tags: { keyType: 'string', type: 'Value', id: 3 },
                tags: { keyType: 'string', type: 'string', id: 9 },
                log: { type: 'Log', id: 4 },
                counter: { type: 'Counter', id: 5 },
                gauge: { type: 'Gauge', id: 6 },
                timer: { type: 'Timer', id: 7 },
                event: { type: 'Event', id: 10 },
              },
            },
            Value: {
              oneofs: { data: { oneof: ['text', 'integer', 'decimal'] } },
              fields: {
                text: { type: 'string', id: 1 },
                integer: { type: 'int64', id: 2 },
                decimal: { type: 'double', id: 3 },
              },
            },
            Log: {
              fields: { payload: { type: 'bytes', id: 1 }, type: { type: 'Type', id: 2 } },
              nested: { Type: { values: { OUT: 0, ERR: 1 } } },
            },
            Counter: {
              fields: {
                name: { type: 'string', id: 1 },
                delta: { type: 'uint64', id: 2 },
                total: { type: 'uint64', id: 3 },
              },
            },
            Gauge: { fields: { metrics: { keyType: 'string', type: 'GaugeValue', id: 1 } } },
            GaugeValue: { fields: { unit: { type: 'string', id: 1 }, value: { type: 'double', id: 2 } } },
            Timer: {
              fields: {
                name: { type: 'string', id: 1 },
                start: { type: 'int64', id: 2 },
                stop: { type: 'int64', id: 3 },
              },
            },
            Event: { fields: { title: { type: 'string', id: 1 }, body: { type: 'string', id: 2 } } },
            IngressResponse: { fields: {} },
            BatchSenderResponse: { fields: {} },
            SendResponse: { fields: {} },
          },
        },
      },
    },
  },
};

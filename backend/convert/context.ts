/** What a definition does not say and the cell does. */
export interface ConvertContext {
  /** The cell has trusted certificates to give: then `CF_SYSTEM_CERT_PATH` names their folder. */
  system_certs: boolean;
  /** Instances get a certificate of their own: then `CF_INSTANCE_CERT` and `CF_INSTANCE_KEY` name it. */
  instance_identity: boolean;
  checks: CheckDefaults;
  /** Images are composed at start: what has no droplet may run several programs, and a monitor beside them. */
  programs: boolean;
  /** Tasks that stage are carried out on this cell; else they are refused. */
  staging: boolean;
}

/** Diego's own, where a check does not say (executor `transformer.go`, rep configuration). */
export interface CheckDefaults {
  timeout_ms: number;
  /** Between looks until the first success. */
  startup_interval_ms: number;
  /** Between looks afterwards. */
  interval_ms: number;
}

export const CHECK_DEFAULTS: CheckDefaults = { timeout_ms: 1000, startup_interval_ms: 2000, interval_ms: 30_000 };

export const DEFAULT_CONTEXT: ConvertContext = {
  system_certs: false,
  instance_identity: false,
  checks: CHECK_DEFAULTS,
  programs: false,
  staging: false,
};

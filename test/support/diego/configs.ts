import type { CertFiles } from './certs.js';
import type { Component, DiegoOptions } from './diego.js';

export interface Wiring {
  certs: CertFiles;
  database: (name: string) => string;
  ports: { locket: number; bbs: number; bbsHealth: number; auctioneer: number };
}

/**
 * The smallest configurations that the components of the 2024-10 set run with. Left out, a key of these bites: no
 * `update_workers` and no instance is ever made, no `convergence_workers` and nothing is repaired, no
 * `converge_repeat_interval` and the BBS converges in a hot loop.
 */
export function configs({ certs, database, ports }: Wiring, options: DiegoOptions): Record<Component, object> {
  const { converge_ms = 1_000, kick_ms = 2_000, expire_pending_ms = 1_800_000 } = options;
  const { expire_completed_ms = 120_000, max_task_retries = 3 } = options;
  const { ca, cert, key } = certs;
  const common = { log_level: 'info', time_format: 'rfc3339', report_interval: '1m' };
  const locketClient = {
    locket_address: `127.0.0.1:${ports.locket}`,
    locket_ca_cert_file: ca,
    locket_client_cert_file: cert,
    locket_client_key_file: key,
    lock_ttl: '15s',
    lock_retry_interval: '1s',
  };
  const repClient = { rep_ca_cert: ca, rep_client_cert: cert, rep_client_key: key };
  return {
    locket: {
      ...common,
      listen_address: `127.0.0.1:${ports.locket}`,
      ca_file: ca,
      cert_file: cert,
      key_file: key,
      ...databaseKeys(database('locket')),
    },
    bbs: {
      ...common,
      listen_address: `127.0.0.1:${ports.bbs}`,
      health_address: `127.0.0.1:${ports.bbsHealth}`,
      advertise_url: `https://127.0.0.1:${ports.bbs}`,
      ca_file: ca,
      cert_file: cert,
      key_file: key,
      uuid: 'bbs-of-the-test',
      ...databaseKeys(database('bbs')),
      active_key_label: 'k1',
      encryption_keys: { k1: 'a passphrase of the test' },
      auctioneer_address: `https://127.0.0.1:${ports.auctioneer}`,
      auctioneer_ca_cert: ca,
      auctioneer_client_cert: cert,
      auctioneer_client_key: key,
      ...repClient,
      ...locketClient,
      communication_timeout: '10s',
      converge_repeat_interval: `${converge_ms}ms`,
      kick_task_duration: `${kick_ms}ms`,
      expire_pending_task_duration: `${expire_pending_ms}ms`,
      expire_completed_task_duration: `${expire_completed_ms}ms`,
      desired_lrp_creation_timeout: '1m',
      convergence_workers: 20,
      update_workers: 100,
      task_callback_workers: 100,
      max_task_retries,
    },
    auctioneer: {
      ...common,
      listen_address: `127.0.0.1:${ports.auctioneer}`,
      ca_cert_file: ca,
      server_cert_file: cert,
      server_key_file: key,
      bbs_address: `https://127.0.0.1:${ports.bbs}`,
      bbs_ca_cert_file: ca,
      bbs_client_cert_file: cert,
      bbs_client_key_file: key,
      ...repClient,
      ...locketClient,
      uuid: 'auctioneer-of-the-test',
      communication_timeout: '10s',
      cell_state_timeout: '10s',
      auction_runner_workers: 100,
      starting_container_weight: 0.25,
    },
  };
}

function databaseKeys(url: string): object {
  return {
    database_driver: 'postgres',
    database_connection_string: url,
    max_open_database_connections: 40,
    max_idle_database_connections: 40,
  };
}

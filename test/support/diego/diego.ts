/** A Diego control plane on loopback: the real one (`real.ts`) or the embedded one, behind the same face for the same tests. */
export interface Diego {
  readonly kind: 'real' | 'embedded';
  /** `https://127.0.0.1:PORT`; protobuf over HTTP, mutual TLS. */
  readonly bbs_url: string;
  /** `127.0.0.1:PORT`; gRPC, mutual TLS. */
  readonly locket_address: string;
  /** `https://127.0.0.1:PORT`. */
  readonly auctioneer_url: string;
  /** Paths of PEM files: the CA, and one pair that is good as server and as client. */
  readonly certs: { readonly ca: string; readonly cert: string; readonly key: string };
  /** Ends the component and keeps it down until `start`; settled when it no longer listens. */
  stop(name: Component): Promise<void>;
  /** Starts a stopped component again on its old port; settled when it serves. */
  start(name: Component): Promise<void>;
  /** Path of the component's log. */
  log(name: Component): string;
  /** Ends everything and removes its folder. Safe to call twice. */
  close(): Promise<void>;
}

export type Component = 'bbs' | 'locket' | 'auctioneer';

/** Lengths that a test may want short. Milliseconds. */
export interface DiegoOptions {
  /** How often the BBS repairs what differs. Default 1 s (a foundation: 30 s). */
  converge_ms?: number;
  /** After this long a pending task is auctioned again. Default 2 s (30 s). */
  kick_ms?: number;
  /** After this long a pending task has failed. Default 30 min. */
  expire_pending_ms?: number;
  /** After this long a completed task is kicked, then removed. Default 2 min. */
  expire_completed_ms?: number;
  /** How often a task that no cell could take is tried again before it fails. Default 3. */
  max_task_retries?: number;
}

/** What the page shows, and the two things it can do. `localcf/main.ts` fills it; the page knows no protocol. */

export type PageInstanceState = 'RUNNING' | 'STARTING' | 'CRASHED' | 'DOWN' | 'STOPPING';

export interface PageInstance {
  index: number;
  /** Instance guid; null: no machine of this index is there. */
  guid: string | null;
  state: PageInstanceState;
  /** Epoch milliseconds of the last change of state. */
  since: number;
  /** Milliseconds from power on to healthy; null: not known, or not yet. */
  boot_ms: number | null;
  /** Bytes in use; null: not measured yet. */
  memory_bytes: number | null;
  cell: string | null;
  /** Why it is down, as the platform says it. */
  details: string | null;
}

export interface PageProcess {
  guid: string;
  type: string;
  /** Wanted. */
  instances: number;
  memory_mb: number;
  list: PageInstance[];
}

export interface PageApp {
  guid: string;
  name: string;
  /** `org / space`. */
  place: string;
  started: boolean;
  stack: string;
  guest: string | null;
  provider: string | null;
  image: { digest: string; bytes: number } | null;
  urls: string[];
  /** A build is under way. */
  staging: boolean;
  processes: PageProcess[];
}

export interface PageCell {
  id: string;
  stacks: string[];
  memory_mb: { total: number; available: number };
}

export interface PageState {
  cells: PageCell[];
  apps: PageApp[];
}

export interface PageLine {
  app: string;
  /** Instance guid; null: of the app as a whole, such as staging. */
  instance: string | null;
  /** Epoch milliseconds. */
  at: number;
  /** `CELL`, `APP/PROC/WEB`, `STG`, ... */
  source: string;
  error: boolean;
  text: string;
}

export interface PageSource {
  /** All there is to see now. Called after changes, at most some times a second. */
  state(): Promise<PageState>;
  /** Calls back when `state` may give something else; the result ends that. */
  onChange(changed: () => void): () => void;
  /** The newest lines of all apps that are still kept, oldest first. */
  recentLines(): Promise<PageLine[]>;
  /** Each further line; the result ends that. */
  onLine(line: (line: PageLine) => void): () => void;
  /** Ends one machine, as a crash of its own would. Throws not_found. */
  kill(instance: string): Promise<void>;
  /** Throws not_found, bad_request. */
  scale(process: string, instances: number): Promise<void>;
}

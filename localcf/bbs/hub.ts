/** Events to those who listen: each stream's subscribers, filtered by cell where they asked for that. */
import type { BbsEvent } from './model.js';

export type StreamName = 'lrp_instances' | 'lrp_groups' | 'tasks';

export interface Subscription {
  stream: StreamName;
  /** Empty: of all cells. */
  cell_id: string;
  send(event: BbsEvent): void;
}

/** Desired LRPs' events go to both streams of LRPs, and never by cell. */
const wants = ({ stream, cell_id }: Subscription, event: BbsEvent): boolean =>
  event.stream === 'desired'
    ? stream !== 'tasks'
    : event.stream === stream && (cell_id === '' || stream === 'tasks' || event.cell_id === cell_id);

export class Hub {
  readonly #subscriptions = new Set<Subscription>();

  /** Returns what ends it. */
  subscribe(subscription: Subscription): () => void {
    this.#subscriptions.add(subscription);
    return () => void this.#subscriptions.delete(subscription);
  }

  publish(events: readonly BbsEvent[]): void {
    for (const event of events) {
      for (const subscription of this.#subscriptions) if (wants(subscription, event)) subscription.send(event);
    }
  }
}

/** Too many wrong passwords in a row lock a name for a while, as UAA's default policy does. */
import type { Clock } from '../../core/clock.js';

const FAILURES = 5;
const WITHIN_MS = 3_600_000;
const LOCKED_MS = 300_000;
/** So that made-up names fill no memory. */
const NAMES = 1_000;

export class Lockout {
  readonly #failures = new Map<string, number[]>();
  constructor(private readonly clock: Clock) {}

  locked(name: string): boolean {
    const times = this.#failures.get(name) ?? [];
    return times.length >= FAILURES && this.clock.now() - (times.at(-1) ?? 0) < LOCKED_MS;
  }

  failed(name: string): void {
    const now = this.clock.now();
    const recent = (this.#failures.get(name) ?? []).filter((time) => now - time < WITHIN_MS);
    this.#failures.delete(name);
    this.#failures.set(name, [...recent, now].slice(-FAILURES));
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > NAMES && oldest !== undefined) this.#failures.delete(oldest);
  }

  succeeded(name: string): void {
    this.#failures.delete(name);
  }
}

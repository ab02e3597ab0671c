/** Codes good for one use within minutes: passcodes for `cf login --sso-passcode`, authorization codes for `cf ssh`. */
import type { Clock } from '../../core/clock.js';
import { randomSecret } from './passwords.js';

const LIFETIME_MS = 300_000;
const MOST = 1_000;

export class Codes {
  readonly #codes = new Map<string, { user_guid: string; client_id: string; until: number }>();
  constructor(private readonly clock: Clock) {}

  make(user_guid: string, client_id: string): string {
    const code = randomSecret(32);
    this.#codes.set(code, { user_guid, client_id, until: this.clock.now() + LIFETIME_MS });
    const [oldest] = this.#codes.keys();
    if (this.#codes.size > MOST && oldest !== undefined) this.#codes.delete(oldest);
    return code;
  }

  /** The user it was made for; undefined: unknown, used, out of date, or for another client. */
  take(code: string, client_id: string): string | undefined {
    const found = this.#codes.get(code);
    this.#codes.delete(code);
    return found && found.client_id === client_id && found.until > this.clock.now() ? found.user_guid : undefined;
  }
}

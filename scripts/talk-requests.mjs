/** Requests to the talk's app: which machine answers, and whether each goes on answering. */
import { get } from 'node:http';

const BETWEEN_MS = 150;

export class Asker {
  #url;
  #router_url;
  #pause;

  /** `pause(ms)` throws when the talk was interrupted. */
  constructor(url, router_url, pause) {
    this.#url = url;
    this.#router_url = router_url;
    this.#pause = pause;
  }

  /** By the router's address: not every system knows names below `localhost`. */
  async ask({ mustBe } = {}) {
    const { host } = new URL(this.#url);
    const reply = await new Promise((done, failed) => {
      const request = get(this.#router_url, { headers: { host }, agent: false, timeout: 10_000 }, (response) => {
        let body = '';
        response.on('data', (data) => (body += data));
        response.on('end', () => done({ status: response.statusCode, body }));
        response.on('error', failed);
      });
      request.on('timeout', () => request.destroy(new Error(`${this.#url} did not answer within 10 s`)));
      request.on('error', failed);
    });
    if (mustBe !== undefined && reply.status !== mustBe)
      throw new Error(`${this.#url} answered ${reply.status}: ${reply.body.trim()}`);
    return reply;
  }

  /** The machine that answered; undefined: none did, as a request that meets a dying machine may be cut off. */
  async #one() {
    const { status, body } = await this.ask().catch(() => ({ status: 0, body: '' }));
    return status === 200 ? /<code>([^<]+)<\/code>/.exec(body)?.[1] : undefined;
  }

  /** Asks until the machines behind the last `turns` answers are as wanted; gives them. */
  async until(fits, { turns, most_ms }) {
    const deadline = Date.now() + most_ms;
    for (let heard = []; ; heard = heard.slice(-turns)) {
      const id = await this.#one();
      if (id !== undefined) heard.push(id);
      const ids = [...new Set(heard)];
      if (fits(ids)) return ids;
      if (Date.now() > deadline) throw new Error(`after ${most_ms / 1000} s only ${ids.join(', ')} answered`);
      await this.#pause(BETWEEN_MS);
    }
  }

  /** Asks on and on until `end`, which throws if one of the machines has not answered for `turns` requests. */
  watch(ids, turns) {
    let ended = false;
    let requests = 0;
    let cut = 0;
    const silent = new Map(ids.map((id) => [id, 0]));
    const longest = new Map(silent);
    const running = (async () => {
      while (!ended) {
        const id = await this.#one();
        requests += 1;
        if (id === undefined) cut += 1;
        for (const one of ids) {
          const now = one === id ? 0 : silent.get(one) + 1;
          silent.set(one, now);
          longest.set(one, Math.max(longest.get(one), now));
        }
        await this.#pause(BETWEEN_MS);
      }
    })();
    // Whoever ends the watch hears of it.
    running.catch(() => undefined);
    return {
      async end() {
        ended = true;
        await running;
        for (const [id, most] of longest) {
          if (most >= turns) throw new Error(`${id} was silent for ${most} of ${requests} requests`);
        }
        const met = cut > 0 ? `, of which ${cut} met the dying one` : '';
        return `${ids.join('\n')}\n${requests} requests${met}; never more than ${Math.max(...longest.values())} in a row without one of them`;
      },
    };
  }
}

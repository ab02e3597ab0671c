/** NATS is away for a while: one test, for short and for real length. */
import { expect } from '@jest/globals';
import { startBackend, type Backend } from './backend.js';
import { send, until } from './client.js';
import { startEmitter } from './emitter.js';
import { natsClient, startGround } from './ground.js';

export interface Outage {
  /** How long NATS is away. */
  away_ms: number;
  /** After so long without registration routers drop a route: shorter than the outage. */
  stale_ms: number;
}

/** No route is lost, no request fails, and what began and ended meanwhile is known soon after. */
export async function natsAway({ away_ms, stale_ms }: Outage): Promise<void> {
  expect(stale_ms).toBeLessThan(away_ms);
  const ground = await startGround({ stale_ms, sweep_ms: Math.max(500, stale_ms / 4) });
  const wire = natsClient(ground.nats);
  const { instances, emitter } = startEmitter(wire);
  const backends: Backend[] = [];
  try {
    const add = async (name: string): Promise<void> => {
      const backend = await startBackend(name);
      backends.push(backend);
      instances.run(name, backends.length, backend.port, [`${name}.test`]);
    };
    for (const name of ['one', 'two', 'ends']) await add(name);
    await until('all are reached', async () => {
      const replies = await Promise.all(['one', 'two', 'ends'].map((name) => send(ground.url, `${name}.test`)));
      return replies.every(({ status }) => status === 200);
    });
    await ground.stopNats();
    const back = Date.now() + away_ms;
    instances.change('ends', { stopped: true });
    await add('begins');
    while (Date.now() < back) {
      for (const name of ['one', 'two']) expect((await send(ground.url, `${name}.test`)).body).toBe(name);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await ground.startNats();
    await until('what began is reached', async () => (await send(ground.url, 'begins.test')).status === 200);
    await until('what ended is not', async () => (await send(ground.url, 'ends.test')).status === 404);
    // Longer than a route lives that nobody registers.
    for (const end = Date.now() + 2 * Math.min(stale_ms, 10_000); Date.now() < end;) {
      for (const name of ['one', 'two', 'begins']) expect((await send(ground.url, `${name}.test`)).body).toBe(name);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  } finally {
    await emitter.close();
    await wire.close();
    for (const backend of backends) await backend.close();
    await ground.close();
  }
}

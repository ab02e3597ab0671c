import { expect } from '@jest/globals';
import { UnikError } from '../../core/errors.js';
import { mutated, noise } from './guests.js';

/** Mutations of each reader: few in `npm test`, by `UNIK_FUZZ_ROUNDS` as many as one likes; `long` asks for 100 000. */
export const ROUNDS = Number(process.env['UNIK_FUZZ_ROUNDS'] ?? 1_000);
const LIMIT_MS = ROUNDS > 1_000 ? 240_000 : 20_000;
/** For `test`. */
export const FUZZ_MS = LIMIT_MS + 60_000;
/** One reading that takes longer hangs, however busy the machine is. */
const HANGS_MS = 10_000;

/**
 * Gives `read` the bytes of `good` with a few of them changed, again and again within the time: it gives something, or
 * throws an error of ours that blames what it read. `good` itself must be read. The same mutations each time.
 */
export async function fuzz(name: string, good: Buffer, read: (bytes: Buffer) => unknown): Promise<void> {
  await read(Buffer.from(good));
  const random = noise(20_261_130);
  const started = Date.now();
  let [done, refused, slowest] = [0, 0, 0];
  for (; done < ROUNDS && Date.now() < started + LIMIT_MS; done++) {
    const bytes = mutated(good, random);
    const before = performance.now();
    try {
      await read(bytes);
    } catch (err) {
      if (!(err instanceof UnikError) || err.code === 'internal')
        throw new Error(`mutation ${done} of ${name}: ${String(err)}`, { cause: err });
      refused++;
    }
    slowest = Math.max(slowest, performance.now() - before);
  }
  const seconds = ((Date.now() - started) / 1_000).toFixed(1);
  if (process.env['UNIK_FUZZ_ROUNDS'] !== undefined) {
    process.stderr.write(
      `fuzz: ${name}: ${done} mutations, ${refused} refused, ${seconds} s, slowest ${slowest.toFixed(0)} ms\n`,
    );
  }
  expect(done).toBeGreaterThan(Math.min(ROUNDS, 400) / 4);
  expect(slowest).toBeLessThan(HANGS_MS);
}

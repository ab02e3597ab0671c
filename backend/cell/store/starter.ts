import { messageOf } from '../../../core/errors.js';
import type { Executor } from '../../../executor/executor.js';
import type { ImageMaker } from '../images/droplets.js';
import { createFailed } from '../../convert/outcome.js';
import { StartFailure } from '../images/start-failure.js';
import type { Outcome, Reservation, RunOrder } from '../model.js';
import type { Narrator } from './narrator.js';
import { specOf, type CellTraits } from './spec.js';
import type { Words } from './words.js';

export interface StarterDeps extends Omit<CellTraits, 'network'> {
  executor: Pick<Executor, 'run'>;
  images: ImageMaker;
  /** Asked at each start, since a host learns what it offers by a probe. */
  network: () => Promise<CellTraits['network']>;
  words: Words;
}

/** From an order to a machine that is being booted. Throws what `failureOf` has words for. */
export async function startMachine(
  { reservation, order, narrator }: { reservation: Reservation; order: RunOrder; narrator: Narrator },
  { executor, images, network, words, ...cell }: StarterDeps,
  signal: AbortSignal,
): Promise<void> {
  const { guid, kind, demand } = reservation;
  narrator.cell(words.creating(guid));
  const image = await images.imageFor(
    order,
    {
      begin: ({ artifact, log_source: source }) => {
        if (artifact) narrator.say({ source, stream: 'out', text: words.downloading(artifact) });
      },
      done: ({ artifact, log_source: source }, bytes) => {
        if (artifact) narrator.say({ source, stream: 'out', text: words.downloaded(artifact, bytes) });
      },
    },
    signal,
  );
  const spec = specOf({ guid, kind, demand, order, image }, { ...cell, network: await network() });
  signal.throwIfAborted();
  await executor.run(spec);
}

/** Tells why there is no machine; gives the container's end. */
export function failureOf(err: unknown, guid: string, source: string, narrator: Narrator, words: Words): Outcome {
  if (!(err instanceof StartFailure)) {
    const text = words.failedToCreate(guid, messageOf(err));
    narrator.cell(text, 'err');
    return createFailed(messageOf(err));
  }
  for (const text of [err.message, err.detail]) narrator.say({ source, text, stream: 'err' });
  return err.outcome;
}

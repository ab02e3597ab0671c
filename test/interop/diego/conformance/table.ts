import { actualCases } from './actual.js';
import { auctionCases } from './auction.js';
import type { Case } from './case.js';
import { convergenceCases } from './convergence.js';
import { crashCases } from './crash.js';
import { desiredCases } from './desired.js';
import { domainCases } from './domains.js';
import { evacuationCases } from './evacuation.js';
import { eventCases } from './events.js';
import { locketCases } from './locket.js';
import { protocolCases } from './protocol.js';
import { suspectCases } from './suspect.js';
import { taskCases } from './tasks.js';

/** Every case, in families. */
export const CASES: Case[] = [
  ...protocolCases,
  ...locketCases,
  ...domainCases,
  ...desiredCases,
  ...auctionCases,
  ...actualCases,
  ...crashCases,
  ...suspectCases,
  ...evacuationCases,
  ...convergenceCases,
  ...taskCases,
  ...eventCases,
];

import type { Case } from './case.js';
import { locketCases } from './locket.js';

/** Every case, in families. */
export const CASES: Case[] = [...locketCases];

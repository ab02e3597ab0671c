/** POST /sim/reset: only a simulated cell can be reset. */
import { UnikError } from '../../core/errors.js';
import type { RepHandler } from './face.js';

export const reset: RepHandler = () => () => {
  throw new UnikError('internal', 'a real cell is not reset');
};

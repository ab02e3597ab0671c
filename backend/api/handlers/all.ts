import type { Parts } from '../parts.js';
import type { Handlers } from '../server.js';
import { imageHandlers } from './images.js';
import { instanceHandlers } from './instances.js';
import { systemHandlers } from './system.js';

export function createHandlers(parts: Parts): Handlers {
  return { ...systemHandlers(parts), ...imageHandlers(parts), ...instanceHandlers(parts) };
}

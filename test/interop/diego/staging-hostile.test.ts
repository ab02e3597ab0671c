import { startEmbeddedDiego } from '../../support/diego/embedded.js';
import { hostileSuite } from '../../support/staging/hostile.js';
import { refusedSuite } from '../../support/staging/refused.js';

refusedSuite('refused at staging, under the embedded Diego', () => startEmbeddedDiego());
hostileSuite('hostile staging, under the embedded Diego', () => startEmbeddedDiego());

import { startEmbeddedDiego } from '../../support/diego/embedded.js';
import { stagingSuite } from '../../support/staging/suite.js';

stagingSuite('staged on the cell, under the embedded Diego', () => startEmbeddedDiego());

/** `npm run check`: types, lint, format, import rules and unit tests; what one runs before each commit. */
import { setup } from './setup.mjs';
import { staticChecks, Tally } from './steps.mjs';

await setup();
const tally = new Tally();
await Promise.all([staticChecks(tally), tally.jest('unit tests', ['unit'], ['--maxWorkers=1'])]);
tally.close();

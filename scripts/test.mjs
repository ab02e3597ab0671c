/** `npm test`: sets up, then types, lint, format, and every suite. Last line: N passed, N failed, N skipped. */
import { clearCases, printCases } from './provider-cases.mjs';
import { setup } from './setup.mjs';
import { staticChecks, Tally } from './steps.mjs';

await setup({ test: true });
const tally = new Tally();
clearCases();
await staticChecks(tally);
// One run for all, so that neither of two workers idles while a slow suite ends.
await tally.jest(
  'unit, contract, integration and boot tests',
  ['unit', 'contract', 'integration', 'boot'],
  ['--maxWorkers=2'],
);
printCases();
tally.close();

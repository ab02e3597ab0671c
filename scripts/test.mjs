/** `npm test`: sets up, then types, lint, format, and every suite. Last line: N passed, N failed, N skipped. */
import { setup } from './setup.mjs';
import { staticChecks, Tally } from './steps.mjs';

await setup({ test: true });
const tally = new Tally();
await staticChecks(tally);
await tally.jest('unit, contract and integration tests', ['unit', 'contract', 'integration'], ['--maxWorkers=2']);
await tally.jest('boot tests: real machines', ['boot'], ['--maxWorkers=2']);
tally.close();

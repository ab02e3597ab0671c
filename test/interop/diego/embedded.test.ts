import { prepareGround } from '../../interop/diego/conformance/bench.js';
import { describeCases } from '../../interop/diego/conformance/run.js';
import { SCALED_CASES } from '../../interop/diego/conformance/scaled.js';
import { CASES } from '../../interop/diego/conformance/table.js';
import { startEmbeddedDiego } from '../../support/diego/embedded.js';
import { policyOf, timesOf } from './scale.js';

/** What is 30 s with Diego is over soon here; the interop tests run the same table at full length. */
const UNIT_MS = 2_400;
const { quick, quiet } = timesOf(UNIT_MS, 6_000);

describeCases('The embedded control plane keeps every case', [...CASES, ...SCALED_CASES], async () => {
  const policy = policyOf(UNIT_MS);
  return {
    quick: await prepareGround(await startEmbeddedDiego({ ...quick, policy, durable: true }), quick),
    quiet: await prepareGround(await startEmbeddedDiego({ ...quiet, policy }), quiet),
  };
});

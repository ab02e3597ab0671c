/** What the BBS is to be told so that it holds what the rows say. Pure. */
import type { Sent } from '../../../backend/wire/codec.js';
import type { DesiredLRPSchedulingInfo, DesiredLRPUpdate } from '../../../protos/generated.js';
import { annotationOf, lrpUpdate, processGuid } from '../recipes/desired-lrp.js';
import type { ProcessFacts } from '../recipes/facts.js';

export interface LrpPlan {
  /** First: what goes makes room for what comes. */
  remove: string[];
  update: { process_guid: string; update: Sent<DesiredLRPUpdate> }[];
  desire: ProcessFacts[];
}

/** `wanted`: every process that should run; `there`: what the BBS holds in our domain. */
export function planLrps(wanted: readonly ProcessFacts[], there: readonly DesiredLRPSchedulingInfo[]): LrpPlan {
  const held = new Map(there.map((info) => [info.desired_lrp_key?.process_guid ?? '', info]));
  const named = new Set(wanted.map(({ process }) => processGuid(process)));
  const plan: LrpPlan = { remove: [...held.keys()].filter((guid) => !named.has(guid)), update: [], desire: [] };
  for (const facts of wanted) {
    const process_guid = processGuid(facts.process);
    const info = held.get(process_guid);
    if (!info) plan.desire.push(facts);
    else {
      const update = lrpUpdate(facts);
      if (differs(info, facts, update)) plan.update.push({ process_guid, update });
    }
  }
  return plan;
}

function differs(info: DesiredLRPSchedulingInfo, facts: ProcessFacts, update: Sent<DesiredLRPUpdate>): boolean {
  if (info.instances !== facts.process.instances || info.annotation !== annotationOf(facts)) return true;
  const held = info.routes?.routes ?? {};
  return Object.entries(update.routes?.routes ?? {}).some(([key, bytes]) => {
    const now = held[key];
    return bytes !== undefined && (now === undefined || Buffer.compare(now, bytes) !== 0);
  });
}

/** One spec of a Go suite, from its JSON report. */
export interface Spec {
  /** The containers' texts and the leaf's, joined by spaces: what `focus` matches. */
  name: string;
  state: 'passed' | 'failed' | 'skipped';
  seconds: number;
  /** Why it failed, or was skipped. */
  why?: string;
}

/** The parts of ginkgo's JSON report that we read. */
interface Report {
  SpecReports: {
    ContainerHierarchyTexts: string[] | null;
    LeafNodeType: string;
    LeafNodeText: string;
    State: string;
    /** Nanoseconds. */
    RunTime: number;
    Failure?: { Message: string };
  }[];
}

/** Specs that ran; the suite's own set-up and tear-down count when they failed. */
export function readReport(text: string): Spec[] {
  const reports = JSON.parse(text) as Report[];
  return reports
    .flatMap((report) => report.SpecReports)
    .filter((spec) => spec.LeafNodeType === 'It' || stateOf(spec.State) === 'failed')
    .map((spec) => ({
      name: [...(spec.ContainerHierarchyTexts ?? []), spec.LeafNodeText || spec.LeafNodeType].join(' '),
      state: stateOf(spec.State),
      seconds: spec.RunTime / 1e9,
      ...(spec.Failure ? { why: spec.Failure.Message } : {}),
    }));
}

function stateOf(state: string): Spec['state'] {
  if (state === 'passed') return 'passed';
  return state === 'skipped' || state === 'pending' ? 'skipped' : 'failed';
}

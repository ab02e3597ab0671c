/** What the benchmarks share: options, medians, rounding. */
export function parseArgs(defaults: { runs: number }): { runs: number; json: boolean } {
  const args = process.argv.slice(2);
  const at = args.indexOf('--runs');
  const runs = at < 0 ? defaults.runs : Number(args[at + 1]);
  const unknown = args.filter((word, i) => word !== '--json' && word !== '--runs' && !(at >= 0 && i === at + 1));
  if (unknown.length > 0 || !Number.isInteger(runs) || runs < 1) {
    console.error(`usage: npm run bench -- NAME [--json] [--runs N]`);
    process.exit(2);
  }
  return { runs, json: args.includes('--json') };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

export function round(value: number | undefined, digits = 0): number {
  return Number((value ?? NaN).toFixed(digits));
}

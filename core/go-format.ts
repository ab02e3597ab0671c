const UNITS = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 0.001, µs: 0.001, ns: 0.000001 } as const;

/** Milliseconds as Go prints a duration: `15m0s`, `1.5s`, `500ms`, `0s`. */
export function goDuration(ms: number): string {
  if (ms < 0) return `-${goDuration(-ms)}`;
  if (ms === 0) return '0s';
  if (ms < 1000) return `${ms}ms`;
  const hours = Math.floor(ms / UNITS.h);
  const minutes = Math.floor((ms % UNITS.h) / UNITS.m);
  const seconds = `${(ms % UNITS.m) / UNITS.s}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}

/** Milliseconds of a Go duration such as `1m30s`; undefined when it is none. */
export function goMillis(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(h|ms|m|us|µs|ns|s))+$/.test(text)) return undefined;
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s)/g);
  return [...parts].reduce((sum, [, value, unit]) => sum + Number(value) * UNITS[unit as keyof typeof UNITS], 0);
}

/** As Go's bytefmt prints it: `512B`, `1.2M`. */
export function byteSize(bytes: number): string {
  const units = ['B', 'K', 'M', 'G', 'T'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 2 ** (10 * power)).toFixed(1).replace(/\.0$/, '')}${units[power] ?? 'B'}`;
}

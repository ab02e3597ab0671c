/** Sizes of manifests: `256M`, `1GB`, `1024KB`, `-1`. Pure. */

const FACTORS: Record<string, number> = {
  ...{ B: 1, K: 2 ** 10, KB: 2 ** 10, M: 2 ** 20, MB: 2 ** 20, G: 2 ** 30, GB: 2 ** 30, T: 2 ** 40, TB: 2 ** 40 },
};

/** Bytes; undefined for what is no size. */
export function bytesOf(text: string): number | undefined {
  const [, digits, unit = ''] = /^\s*(\d+)\s*([A-Za-z]+)\s*$/.exec(text) ?? [];
  const factor = FACTORS[unit.toUpperCase()];
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor;
}

export const megabytesOf = (text: string): number | undefined => {
  const bytes = bytesOf(text);
  return bytes === undefined ? undefined : Math.floor(bytes / 2 ** 20);
};

/** Bytes per second as a manifest says them: the largest unit that leaves a whole number. */
export function rateText(bytes: number): string {
  if (bytes === -1) return '-1';
  const units = [
    ['G', 2 ** 30],
    ['M', 2 ** 20],
    ['K', 2 ** 10],
  ] as const;
  const fit = units.find(([, factor]) => bytes > 0 && bytes % factor === 0);
  return fit ? `${bytes / fit[1]}${fit[0]}` : `${bytes}B`;
}

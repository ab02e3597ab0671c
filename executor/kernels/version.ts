/**
 * Compares two versions as Debian does (policy, section 5.6.12): an epoch before `:`, then runs of digits by number
 * and runs of other characters by text, letters before the rest and `~` before everything, even the end.
 * Negative: `a` is older.
 */
export function compareVersions(a: string, b: string): number {
  return epochOf(a) - epochOf(b) || compareRuns(withoutEpoch(a), withoutEpoch(b));
}

function epochOf(version: string): number {
  const colon = version.indexOf(':');
  return colon < 0 ? 0 : Number(version.slice(0, colon));
}

function withoutEpoch(version: string): string {
  return version.slice(version.indexOf(':') + 1);
}

function compareRuns(a: string, b: string): number {
  // Alternating: text (maybe empty), digits, text, digits, ...
  const runsA = a.split(/(\d+)/);
  const runsB = b.split(/(\d+)/);
  for (let index = 0; index < Math.max(runsA.length, runsB.length); index++) {
    const [x, y] = [runsA[index] ?? '', runsB[index] ?? ''];
    const difference = index % 2 === 1 ? compareNumbers(x, y) : compareText(x, y);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Of any length: digits of a version may be more than a number holds. */
function compareNumbers(a: string, b: string): number {
  const [x, y] = [BigInt(a || '0'), BigInt(b || '0')];
  return x < y ? -1 : x > y ? 1 : 0;
}

function compareText(a: string, b: string): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const difference = weight(a[index]) - weight(b[index]);
    if (difference !== 0) return difference;
  }
  return 0;
}

function weight(character: string | undefined): number {
  if (character === '~') return -1;
  if (character === undefined) return 0;
  const code = character.charCodeAt(0);
  return /[A-Za-z]/.test(character) ? code : code + 256;
}

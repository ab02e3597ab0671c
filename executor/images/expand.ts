/**
 * Words of a process whose `expand` is true, as `image.json` keeps them. `$NAME`, `${NAME}` and `${NAME:-default}` are
 * replaced from the environment; the value is one word whatever it holds. A word that is only `$NAME` (written
 * without quotes in the command) vanishes when the value is empty, as it would in a shell; `${NAME}` stays, empty.
 */
const REFERENCE = /\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})/g;
const BARE = /^\$[A-Za-z_][A-Za-z0-9_]*$/;
/** A reference that is always its default: how a dollar sign is kept that must not start a reference. */
export const DOLLAR = '${__DOLLAR__:-$}';

/** The argv as it is run with this environment. */
export function expandArgv(argv: readonly string[], env: Readonly<Record<string, string>>): string[] {
  return argv
    .map((word) => ({ word, value: expandWord(word, env) }))
    .flatMap(({ word, value }) => (value === '' && BARE.test(word) ? [] : [value]));
}

/** One word, or the value of a variable. */
export function expandWord(word: string, env: Readonly<Record<string, string>>): string {
  return word.replace(REFERENCE, (_all, bare?: string, braced?: string, otherwise?: string) => {
    const name = bare ?? braced ?? '';
    const value = Object.hasOwn(env, name) ? (env[name] ?? '') : '';
    return value === '' && otherwise !== undefined ? otherwise : value;
  });
}

/** The variables that the words take values of, each once. */
export function namesIn(argv: readonly string[]): string[] {
  const names = argv.flatMap((word) => [...word.matchAll(REFERENCE)].map(([, bare, braced]) => bare ?? braced ?? ''));
  return [...new Set(names)].filter((name) => !DOLLAR.includes(name));
}

/** Text that `expandWord` gives back as it is. */
export function literal(text: string): string {
  return text.replaceAll('$', DOLLAR);
}

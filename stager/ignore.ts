/** Never part of an application, as `cf push` has it. */
export const DEFAULT_IGNORE = ['.cfignore', '.unikignore', '.git', '.gitignore', '.hg', '.svn', '_darcs', '.DS_Store'];

interface Rule {
  pattern: RegExp;
  negated: boolean;
  foldersOnly: boolean;
}

/**
 * Tells whether a path inside the application is left out, by lines in the syntax of .gitignore: `#` comments, `!`
 * takes back, a `/` at the end means folders only, one elsewhere ties the pattern to the top, `*`, `?`, `[...]` stay
 * within a name and `**` does not. The last line that fits decides.
 */
export function ignoreRules(lines: readonly string[]): (path: string, isFolder: boolean) => boolean {
  const rules = lines.flatMap(parseRule);
  // Nearly every path fits no line at all: one look tells.
  const any = new RegExp(rules.map(({ pattern }) => pattern.source).join('|'), 's');
  return (path, isFolder) => {
    let ignored = false;
    if (rules.length === 0 || !any.test(path)) return ignored;
    for (const rule of rules) {
      if (rule.foldersOnly && !isFolder) continue;
      if (rule.pattern.test(path)) ignored = !rule.negated;
    }
    return ignored;
  };
}

function parseRule(line: string): Rule[] {
  let pattern = line.replace(/\r$/, '').replace(/(?<!\\)[ \t]+$/, '');
  if (pattern === '' || pattern.startsWith('#')) return [];
  const negated = pattern.startsWith('!');
  if (negated) pattern = pattern.slice(1);
  const foldersOnly = pattern.endsWith('/');
  if (foldersOnly) pattern = pattern.replace(/\/+$/, '');
  if (pattern === '') return [];
  const anchored = pattern.includes('/');
  const body = toRegExp(pattern.replace(/^\//, ''));
  return [{ pattern: new RegExp(`^${anchored ? '' : '(?:.*/)?'}${body}$`, 's'), negated, foldersOnly }];
}

function toRegExp(pattern: string): string {
  let out = '';
  for (let at = 0; at < pattern.length;) {
    const rest = pattern.slice(at);
    const set = /^\[(!|\^)?(\]?[^\]/]*)\]/.exec(rest);
    if (rest.startsWith('**/') && (at === 0 || pattern[at - 1] === '/')) {
      out += '(?:.*/)?';
      at += 3;
    } else if (rest === '**' && pattern[at - 1] === '/') {
      out += '.+';
      at += 2;
    } else if (rest.startsWith('*')) {
      out += '[^/]*';
      at += /^\*+/.exec(rest)?.[0].length ?? 1;
    } else if (rest.startsWith('?')) {
      out += '[^/]';
      at += 1;
    } else if (set?.[2]) {
      out += `[${set[1] === undefined ? '' : '^'}${set[2].replace(/[\\\]^[]/g, '\\$&')}]`;
      at += set[0].length;
    } else {
      const char = rest.startsWith('\\') && rest.length > 1 ? rest.slice(1, 2) : rest.slice(0, 1);
      out += char.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
      at += rest.startsWith('\\') && rest.length > 1 ? 2 : 1;
    }
  }
  return out;
}

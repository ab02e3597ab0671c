/** Completion is one hidden command, `unik __complete WORDS...`, that prints candidates; each shell's script calls it. */
import type { Command } from 'commander';

export type NameKind = 'instance' | 'image' | 'kernel';

/** Candidates that need no daemon, and the kind of names that may stand there. */
export interface Candidates {
  words: string[];
  names?: NameKind;
}

const NAMES: Record<string, NameKind> = {
  logs: 'instance',
  stop: 'instance',
  start: 'instance',
  restart: 'instance',
  kill: 'instance',
  wait: 'instance',
  rm: 'instance',
  inspect: 'instance',
  'describe-instance': 'instance',
  run: 'image',
  rmi: 'image',
  'describe-image': 'image',
  'image rm': 'image',
  'image tag': 'image',
  'image verify': 'image',
  'image droplet': 'image',
  'kernel rm': 'kernel',
  'kernel verify': 'kernel',
};

/** `words`: what was typed after `unik`; the last one is being typed. */
export function complete(program: Command, words: readonly string[]): Candidates {
  const typed = words.at(-1) ?? '';
  let command = program;
  const path: string[] = [];
  for (const word of words.slice(0, -1)) {
    const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (!next) continue;
    command = next;
    path.push(next.name());
  }
  if (typed.startsWith('-')) {
    const flags = command.options.flatMap(({ long, short }) => [long, short]).filter((flag) => flag !== undefined);
    return { words: [...flags, '--help'].filter((flag) => flag.startsWith(typed)) };
  }
  if (command.commands.length > 0) {
    const names = command.commands.map((one) => one.name()).filter((name) => !name.startsWith('__'));
    return { words: names.filter((name) => name.startsWith(typed)) };
  }
  const names = NAMES[path.join(' ')];
  return { words: [], ...(names ? { names } : {}) };
}

export const SCRIPTS: Record<string, string> = {
  bash: `_unik() {
  local words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  mapfile -t COMPREPLY < <(compgen -W "$(unik __complete -- "\${words[@]}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}")
  [ "\${#COMPREPLY[@]}" -gt 0 ] || compopt -o default
}
complete -F _unik unik
`,
  zsh: `#compdef unik
_unik() {
  local -a found
  found=("\${(@f)$(unik __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then compadd -a found; else _files; fi
}
compdef _unik unik
`,
  fish: `function __unik_complete
  set -l words (commandline -opc) (commandline -ct)
  unik __complete -- $words[2..-1] 2>/dev/null
end
complete -c unik -a '(__unik_complete)'
`,
};

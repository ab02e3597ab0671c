import { UnikError } from '../core/errors.js';

/** Process types and their command lines, in the order of the file. Throws procfile_invalid with the line's number. */
export function parseProcfile(text: string): Record<string, string> {
  const processes = new Map<string, string>();
  text.split(/\r?\n/).forEach((line, index) => {
    const content = line.trim();
    if (content === '' || content.startsWith('#')) return;
    const [, type, command] = /^([A-Za-z0-9_-]+)\s*:\s*(.*)$/.exec(content) ?? [];
    const where = `Procfile line ${index + 1}`;
    if (type === undefined || command === undefined) {
      throw new UnikError('procfile_invalid', `${where} is not TYPE: COMMAND: ${JSON.stringify(content)}`);
    }
    if (command === '') throw new UnikError('procfile_invalid', `${where}: the process type ${type} has no command`);
    if (processes.has(type))
      throw new UnikError('procfile_invalid', `${where}: the process type ${type} stands there twice`);
    processes.set(type, command);
  });
  if (processes.size === 0) throw new UnikError('procfile_invalid', 'the Procfile names no process');
  return Object.fromEntries(processes);
}

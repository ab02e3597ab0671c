import type { Writable } from 'node:stream';
import { printable } from '../render.js';

interface Place {
  user: string;
  org: string;
  space: { name: string };
}

/** Text as the CLI's own commands write it; colours only on a terminal. */
export class Screen {
  readonly #coloured: boolean;

  constructor(
    private readonly out: { stdout: Writable & { isTTY?: boolean }; stderr: Writable },
    env: NodeJS.ProcessEnv,
  ) {
    this.#coloured = env['CF_COLOR'] === 'true' || (out.stdout.isTTY === true && env['CF_COLOR'] !== 'false');
  }

  doing(what: string, { user, org, space }: Place): void {
    const [o, s, u] = [org, space.name, user].map((name) => this.strong(name));
    this.out.stdout.write(`${what} in org ${o} / space ${s} as ${u}...\n\n`);
  }

  say(line: string): void {
    this.out.stdout.write(`${printable(line)}\n`);
  }

  /** Made by us, so it may hold colours. */
  table(text: string): void {
    this.out.stdout.write(`${text}\n`);
  }

  ok(): void {
    this.out.stdout.write(`${this.#paint('32;1', 'OK')}\n`);
  }

  tip(text: string): void {
    this.out.stdout.write(`\n${this.#paint('36;1', `TIP: ${printable(text)}`)}\n`);
  }

  warn(text: string): void {
    this.out.stderr.write(`\n${printable(text)}\n`);
  }

  failed(message: string, hint: string): void {
    this.out.stderr.write(`${printable(message)}\n`);
    this.out.stdout.write(`${this.#paint('31;1', 'FAILED')}\n`);
    if (hint !== '') this.out.stderr.write(`\nTIP: ${hint}\n`);
  }

  strong(text: string): string {
    return this.#paint('36;1', printable(text));
  }

  #paint(code: string, text: string): string {
    return this.#coloured ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}

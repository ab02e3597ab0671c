import type { Command } from 'commander';
import { UnikError } from '../../core/errors.js';
import type { Client } from '../client.js';
import { usage } from '../parse.js';
import { print, printJson, type Shell } from '../shell.js';
import { daemonCommand, refsOf, withClient, yes, type HostOption } from './common.js';

type Flags = HostOption & { type?: string; showEnv?: boolean; instance?: string; image?: string };

export function addInspect(program: Command, shell: Shell): void {
  daemonCommand(program, 'inspect [names...]', 'all about instances or images, as a JSON array')
    .option('--json', 'print JSON, as it always does')
    .option('--type <type>', 'instance or image; default: what there is, instances first')
    .option('--show-env', 'values of the environment too')
    .action((refs: string[], flags: Flags) =>
      withClient(shell, flags, async (client) => {
        const found: unknown[] = [];
        for (const ref of refsOf(refs, undefined, 'an instance or an image'))
          found.push(await look(client, ref, flags));
        printJson(shell, found);
      }),
    );
  describe('describe-instance', '--instance <name>', 'all about an instance', 'instance');
  describe('describe-image', '--image <name>', 'all about an image', 'image');

  daemonCommand(program, 'events', 'follow what happens')
    .option('--instance <name>', 'only of this instance')
    .option('--json', 'one JSON object a line')
    .action((flags: HostOption & { instance?: string; json?: boolean }) =>
      withClient(shell, flags, async (client) => {
        for await (const event of await client.stream('events', { query: { instance: flags.instance } })) {
          const detail = event.detail === undefined ? '' : ` (${event.detail})`;
          const text = `${new Date(event.at).toISOString()} ${event.type} ${event.name}${detail}`;
          print(shell.stdout, flags.json === true ? JSON.stringify(event) : text);
        }
      }),
    );

  /** UniK's spelling: one object. */
  function describe(name: string, flag: string, summary: string, type: 'instance' | 'image'): void {
    daemonCommand(program, `${name} [name]`, summary)
      .option(flag, 'its name, as UniK wrote it')
      .option('--show-env', 'values of the environment too')
      .action((given: string | undefined, flags: Flags) =>
        withClient(shell, flags, async (client) => {
          const [ref = ''] = refsOf(given === undefined ? [] : [given], flags[type], `an ${type}`);
          printJson(shell, await look(client, ref, { ...flags, type }));
        }),
      );
  }
}

async function look(client: Client, ref: string, { type, showEnv }: Flags): Promise<unknown> {
  const input = { params: { ref }, query: { show_env: yes(showEnv) } };
  if (type !== undefined && type !== 'instance' && type !== 'image')
    throw usage(`--type ${type}: expected instance or image`);
  if (type === 'image') return client.call('image', { params: { ref } });
  if (type === 'instance') return client.call('instance', input);
  try {
    return await client.call('instance', input);
  } catch (err) {
    if (!(err instanceof UnikError) || err.code !== 'not_found') throw err;
  }
  try {
    return await client.call('image', { params: { ref } });
  } catch (err) {
    if (!(err instanceof UnikError) || err.code !== 'image_missing') throw err;
    throw new UnikError('not_found', `there is no instance and no image "${ref}"`, { cause: err });
  }
}

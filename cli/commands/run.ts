import type { Command } from 'commander';
import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { InstanceSummary } from '../../backend/api/schema/instances.js';
import type { ReplyOf } from '../../backend/api/schema/routes.js';
import { messageOf, UnikError } from '../../core/errors.js';
import type { Client } from '../client.js';
import { usage } from '../parse.js';
import { orderFrom, type RunFlags } from '../run-order.js';
import { print, printJson, type Shell } from '../shell.js';
import { buildImage } from './build.js';
import { collect, daemonCommand, withClient, type HostOption } from './common.js';
import { write } from './logs.js';

type Flags = RunFlags &
  HostOption & { detach?: boolean; wait?: boolean; quiet?: boolean; arch?: string; json?: boolean };

export function addRun(program: Command, shell: Shell): void {
  daemonCommand(program, 'run [image] [command...]', 'boot an image, or a folder (./app) that is built first')
    .passThroughOptions()
    .option('--name <name>', 'name of the instance')
    .option('--instanceName <name>', 'the same, as UniK wrote it')
    .option('--imageName <image>', 'the image, as UniK wrote it')
    .option('-d, --detach', 'print the id as soon as it runs, and leave it running')
    .option('--json', 'with -d: print the instance as JSON instead of its id')
    .option('--no-wait', 'with -d: do not wait until it runs')
    .option('-p, --publish <port>', '[ADDRESS:]HOST:GUEST[/tcp|udp]; only GUEST: a free host port (repeat)', collect)
    .option('-P, --publish-all', 'publish every port the image names on a free port')
    .option('-e, --env <var>', 'NAME=VALUE, or NAME to pass on our own (repeat)', collect)
    .option('--env-file <file>', 'variables, one NAME=VALUE a line (repeat)', collect)
    .option('-m, --memory <size>', 'memory of the application: 64, 64m, 1g')
    .option('--instanceMemory <mb>', 'the same, as UniK wrote it')
    .option('--cpus <n>', 'virtual processors')
    .option('--disk <size>', 'what the application may write: 512m, 1g')
    .option('--health-type <type>', 'port, http or process')
    .option('--health-path <path>', 'path of the http check')
    .option('--health-port <port>', 'port of the check')
    .option('--health-interval <time>', 'time between checks once it runs')
    .option('--health-timeout <time>', 'time one check may take')
    .option('--health-start-period <time>', 'time the first success may take')
    .option('--health-retries <n>', 'failures in a row that end it')
    .option('--no-healthcheck', 'it runs as soon as its process does')
    .option('--rm', 'remove the instance and its logs when it has ended')
    .option('--restart <policy>', 'no, on-failure[:N], always, unless-stopped')
    .option('--network <mode>', 'tap, user, isolated, bridge or none')
    .option('--dns <address>', 'name server of the guest (repeat)', collect)
    .option('--provider <name>', 'where the machine runs; see `unik provider ls`')
    .option('--kernel <id>', 'kernel entry; default: the newest that fits')
    .option('--stop-timeout <time>', 'time between SIGTERM and power-off')
    .option('--hostname <name>', 'host name of the guest')
    .option('--process <type>', 'process type of the image, such as web or worker')
    .option('--arch <name>', 'of a folder: the processor to build for, amd64 or arm64')
    .option('-w, --workdir <dir>', 'working folder of the application')
    .option('-l, --label <label>', 'NAME=VALUE (repeat)', collect)
    .action(async (image: string | undefined, command: string[], flags: Flags) => {
      // With --imageName, every positional word belongs to the application.
      const [ref, words] =
        flags.imageName === undefined
          ? [image, command]
          : [flags.imageName, [...(image === undefined ? [] : [image]), ...command]];
      if (ref === undefined) throw usage('give an image or a folder: unik run IMAGE');
      await withClient(shell, flags, (client) => run(shell, client, ref, words, flags));
    });
}

async function run(shell: Shell, client: Client, ref: string, command: string[], flags: Flags): Promise<void> {
  const readText = (path: string): Promise<string> =>
    readFile(resolve(shell.cwd, path), 'utf8').catch((err: unknown) => {
      throw usage(`--env-file ${path}: ${messageOf(err)}`);
    });
  const order = await orderFrom(ref, command, flags, { env: shell.env, readFile: readText });
  if (isFolder(ref)) {
    const name = imageNameOf(resolve(shell.cwd, ref));
    const { digest } = await buildImage(shell, client, {
      folder: ref,
      name,
      shell: false,
      quiet: flags.quiet ?? false,
      arch: flags.arch,
    });
    order.image = name ?? digest;
  }
  const { id, name } = await client.call('instanceCreate', { body: order });
  try {
    const attach = flags.detach === true ? detached : attached;
    await attach(shell, client, { id, name, wait: flags.wait !== false, json: flags.json === true });
  } catch (err) {
    if (err instanceof NeverStarted) {
      // Leave nothing behind that would block its name.
      await client.call('instanceRemove', { params: { ref: id }, query: { force: 'true' } });
      throw err.cause;
    }
    throw err;
  }
}

/** The daemon refused to start it. */
class NeverStarted extends Error {}

async function start(client: Client, id: string): Promise<void> {
  try {
    await client.call('instanceStart', { params: { ref: id }, body: {} });
  } catch (err) {
    throw new NeverStarted('refused', { cause: err });
  }
}

interface Created {
  id: string;
  name: string;
  wait: boolean;
  json: boolean;
}

/**
 * Waiting begins before the start: an instance with --rm may be gone right after its end. A wait that fails is told
 * by the one who awaits it, so it is no unhandled rejection meanwhile.
 */
function waitFor(client: Client, id: string, until: 'running' | 'exited'): Promise<ReplyOf<'instanceWait'>> {
  const reply = client.call('instanceWait', { params: { ref: id }, query: { until } });
  reply.catch(() => undefined);
  return reply;
}

/** Prints the id. Unless told otherwise waits until it runs, so that a start that fails is told here and now. */
async function detached(shell: Shell, client: Client, { id, name, wait, json }: Created): Promise<void> {
  const running = wait ? waitFor(client, id, 'running') : undefined;
  await start(client, id);
  const instance = (await running)?.instance;
  if (instance?.status === 'exited' && instance.exit && instance.exit.status !== 0) throw failure(instance);
  for (const url of instance?.urls ?? []) print(shell.stderr, `${name} answers at ${url}`);
  if (json) printJson(shell, await client.call('instance', { params: { ref: id }, query: {} }));
  else print(shell.stdout, id);
}

/** Its output is ours, and so is its exit status. The first Ctrl-C stops it, the second cuts its power. */
async function attached(shell: Shell, client: Client, { id, name }: Created): Promise<void> {
  let asked = 0;
  const stop = (): void => {
    asked += 1;
    const params = { ref: id };
    const call =
      asked === 1
        ? client.call('instanceStop', { params, body: {} })
        : client.call('instanceKill', { params, body: { signal: 'SIGKILL' } });
    call.catch(() => undefined); // it ended in the same moment: what we wait for tells
  };
  const offInt = shell.onSignal('SIGINT', stop);
  const offTerm = shell.onSignal('SIGTERM', stop);
  try {
    const ended = waitFor(client, id, 'exited');
    const running = waitFor(client, id, 'running').then(({ instance }) => {
      for (const url of instance?.urls ?? []) print(shell.stderr, `${name} answers at ${url}`);
    });
    running.catch(() => undefined); // awaited below, unless the start fails first
    const lines = await client.stream('logs', { params: { ref: id }, query: { follow: 'true' } });
    await start(client, id);
    await write(shell, lines, {});
    const { instance, status } = await ended;
    await running;
    if (instance?.exit && !endedByItself(instance)) throw failure(instance);
    shell.setExit(status);
  } finally {
    offInt();
    offTerm();
  }
}

function endedByItself({ exit }: InstanceSummary): boolean {
  return exit?.reason === 'exited' || exit?.reason === 'stopped' || exit?.reason === 'killed';
}

/** Why a machine is not running, as an error of the table. */
function failure({ name, exit }: InstanceSummary): UnikError {
  const reason = exit?.reason;
  const code = exit?.error ?? (reason === 'start_timeout' ? 'start_timeout' : 'machine_failed');
  return new UnikError(
    code,
    `${name} ended (${reason ?? 'unknown'}, exit status ${exit?.status ?? 125}): ${exit?.message ?? ''}`,
  );
}

/** A path is told by how it begins, so that a folder never hides an image of the same name. */
function isFolder(ref: string): boolean {
  return ref === '.' || ref === '..' || /^(\.\.?\/|\/)/.test(ref);
}

/** The folder's name as an image's, where it can be one. */
function imageNameOf(path: string): string | undefined {
  const name = basename(path)
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/([._-])[._-]+/g, '$1')
    .replace(/^[._-]+|[._-]+$/g, '');
  return name === '' ? undefined : name;
}

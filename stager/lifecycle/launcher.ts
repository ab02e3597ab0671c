import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../../core/errors.js';
import { launchEnv } from './launch-env.js';

const stagingInfo = z.looseObject({ start_command: z.string().optional() });
/** What a container's launcher does before the command, in the shell that then becomes it. */
const SCRIPT = `cd "$1" || exit 1
echo 'Invoking pre-start scripts.'
if [ -n "$(ls ../profile.d/* 2>/dev/null)" ]; then for script in ../profile.d/*; do . "$script"; done; fi
if [ -n "$(ls .profile.d/* 2>/dev/null)" ]; then for script in .profile.d/*; do . "$script"; done; fi
if [ -f .profile ]; then . ./.profile; fi
shift
echo 'Invoking start command.'
exec bash -c "$*"`;

/**
 * `launcher APP_DIR START_COMMAND METADATA`: starts an application in a container, for droplets that run in one. A
 * machine needs none: its image has argv and environment. Exit statuses are those of Diego's launcher.
 */
function main(): void {
  const [appDir, given, metadata] = process.argv.slice(2);
  if (appDir === undefined || given === undefined || metadata === undefined) {
    fail('launcher: received only %d arguments: APP_DIR START_COMMAND METADATA', 1);
    return;
  }
  const command = given === '' ? stagedCommand() : given;
  if (command === undefined || command === '') {
    fail('launcher: no start command specified or detected in droplet', 1);
    return;
  }
  const dir = resolve(appDir);
  let env: Record<string, string>;
  try {
    env = launchEnv(dir, process.env);
  } catch (err) {
    fail(`launcher: cannot make the environment: ${messageOf(err)}`, 3);
    return;
  }
  const child = spawn('bash', ['-c', SCRIPT, 'launcher', dir, command], { env, stdio: 'inherit' });
  child.once('error', (err) => fail(`launcher: cannot start bash: ${err.message}`, 4));
  child.once('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) {
    process.on(signal, () => child.kill(signal));
  }
}

function stagedCommand(): string | undefined {
  if (!existsSync('staging_info.yml')) return undefined;
  try {
    // The builder writes it as JSON, which is YAML.
    return stagingInfo.parse(JSON.parse(readFileSync('staging_info.yml', 'utf8'))).start_command;
  } catch (err) {
    fail(`launcher: invalid staging_info.yml: ${messageOf(err)}`, 1);
    return undefined;
  }
}

function fail(message: string, status: number): void {
  process.stderr.write(`${message.replace('%d', String(process.argv.length - 2))}\n`);
  process.exitCode = status;
}

main();

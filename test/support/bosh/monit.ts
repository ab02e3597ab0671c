/** The real monit in a VM of the tests, over the monit files of installed jobs, as BOSH's agent has it. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../diego/children.js';
import { peer } from '../peers.js';
import { release } from './templates.js';
import type { Vm } from './vm.js';

const FOLDER = '/var/vcap/monit';

export interface Monit {
  /** `start JOB`, `stop JOB`, `summary` ... */
  ask(...words: string[]): Promise<string>;
  stop(): Promise<void>;
}

/** Starts it over the monit files of these jobs, which it then starts. */
export async function startMonit(vm: Vm, jobs: readonly string[]): Promise<Monit> {
  const [port = 0] = await freePorts(1);
  const at = join(vm.dir, 'monit');
  mkdirSync(at, { recursive: true });
  cpSync(peer('monit'), join(at, 'monit'));
  for (const job of jobs) cpSync(join(release, 'jobs', job, 'monit'), join(at, `${job}.monitrc`));
  const own = ['id', 'state', 'log'].map((name) => `set ${name === 'log' ? 'log' : `${name}file`} ${FOLDER}/${name}`);
  writeFileSync(
    join(at, 'monitrc'),
    [
      ...['set daemon 1', `set pidfile ${FOLDER}/pid`, ...own],
      `set httpd port ${port} and use address 127.0.0.1 allow 127.0.0.1`,
      `include ${FOLDER}/*.monitrc`,
      '',
    ].join('\n'),
    { mode: 0o600 },
  );
  const ask = (...words: string[]): Promise<string> => vm.ok([`${FOLDER}/monit`, '-c', `${FOLDER}/monitrc`, ...words]);
  // A file that it cannot read is an error of its own; a start program that is missing only a warning.
  const checked = await vm.run([`${FOLDER}/monit`, '-c', `${FOLDER}/monitrc`, '-t']);
  const said = `${checked.stdout}${checked.stderr}`;
  if (checked.code !== 0 || /error|does not exist/i.test(said)) throw new Error(`monit -t: ${said}`);
  await ask();
  return {
    ask,
    stop: async () => {
      await ask('quit');
    },
  };
}

/** The cell is killed while it stages, and started again. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCell, type Cell } from '../../../support/cell/cell.js';
import { controlOf, type Control } from '../../../support/cell/control.js';
import type { Diego } from '../../../support/diego/diego.js';
import { startEmbeddedDiego } from '../../../support/diego/embedded.js';
import { ACCOUNTS } from '../../../support/staging/bench.js';
import { scriptLifecycle, zipped } from '../../../support/staging/bits.js';
import { startOrigin, type Origin } from '../../../support/staging/origin.js';
import { stagingTask } from '../../../support/staging/task.js';
import { until } from '../../../support/unik.js';

let home: string;
let diego: Diego;
let control: Control;
let origin: Origin;
let cell: Cell;

beforeAll(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), 'ukk-')));
  diego = await startEmbeddedDiego();
  control = await controlOf(diego);
  origin = await startOrigin();
  const config = { staging: { network: 'off', accounts: ACCOUNTS } };
  cell = await startCell({ diego, home, cell_id: 'cell-k', provider: 'fake', config });
}, 120_000);
afterAll(async () => {
  await cell.close();
  await control.close();
  await diego.close();
  origin.close();
  await rm(home, { recursive: true, force: true });
}, 60_000);

/** Processes whose command line has this word. */
async function processesWith(word: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.filter((line) => line.split('\0').includes(word));
}

/** Control groups with the task's name. */
async function groupsOf(guid: string): Promise<string[]> {
  const found = await readdir('/sys/fs/cgroup', { recursive: true }).catch(() => []);
  return found.filter((path) => path.includes(guid) && !/\.[a-z_]+$/.test(path));
}

test('the task has failed with a reason, and no process, mount, group or folder is left', async () => {
  const guid = 'killed';
  // Nobody else sleeps so long.
  const seconds = String(1_000_000 + (process.pid % 100_000));
  const task_definition = stagingTask({
    ...{ guid, uploader: origin.url },
    bits: origin.add('app.zip', await zipped([{ name: 'a', content: 'b' }])),
    lifecycle: origin.add(
      'lifecycle.tgz',
      await scriptLifecycle(`setsid sleep ${seconds} </dev/null >/dev/null 2>&1 & sleep ${seconds}`),
    ),
  });
  await control.bbs.call('desire_task', { task_guid: guid, domain: 'cf-app-staging', task_definition });
  await until('it stages', async () => ((await processesWith(seconds)).length >= 2 ? true : undefined), 60_000);
  expect(await readdir(join(home, 'staging/tasks'))).toEqual([guid]);
  expect(await cell.ask('GET', `${cell.rep_url}/state`).then(({ text }) => JSON.parse(text) as unknown)).toMatchObject({
    Tasks: [{ TaskGuid: guid, MemoryMB: 1024, DiskMB: 1024 }],
  });

  await cell.kill('SIGKILL');
  await cell.start();

  const task = await control.task(guid, ({ state }) => state === 'Completed');
  expect(task).toMatchObject({ failed: true, failure_reason: expect.stringMatching(/^staging was interrupted: /) });
  expect(await processesWith(seconds)).toEqual([]);
  for (const folder of ['tasks', 'sandboxes']) expect(await readdir(join(home, 'staging', folder))).toEqual([]);
  expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(home);
  expect(await groupsOf(guid)).toEqual([]);
}, 120_000);

test('a task that is cancelled through the BBS ends at once, and another one is staged', async () => {
  const seconds = String(2_000_000 + (process.pid % 100_000));
  const bits = origin.add('app.zip', await zipped([{ name: 'a', content: 'b' }]));
  const desire = async (guid: string, script: string): Promise<void> => {
    const lifecycle = origin.add(`${guid}.tgz`, await scriptLifecycle(script));
    const task_definition = stagingTask({ guid, bits, lifecycle, uploader: origin.url });
    await control.bbs.call('desire_task', { task_guid: guid, domain: 'cf-app-staging', task_definition });
  };
  await desire('busy', `sleep ${seconds}`);
  await until('it stages', async () => ((await processesWith(seconds)).length >= 1 ? true : undefined), 60_000);
  await control.bbs.call('cancel_task', { task_guid: 'busy' });
  await until('it has ended', async () => ((await processesWith(seconds)).length === 0 ? true : undefined), 30_000);
  await desire('next', 'cp /tmp/app/a /tmp/droplet; cp /tmp/app/a /tmp/output-cache; echo "{}" >/tmp/result.json');
  const task = await control.task('next', ({ state }) => state === 'Completed');
  expect(task).toMatchObject({ failed: false, failure_reason: '', result: '{}\n' });
  await until('no folder', async () => {
    return (await readdir(join(home, 'staging/tasks'))).length === 0 ? true : undefined;
  });
}, 120_000);

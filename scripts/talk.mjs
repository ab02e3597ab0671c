/**
 * The talk: what is typed into the `cf` CLI, and what must come of it. The same against a Cloud Foundry of this machine
 * and against one whose parts are the real ones.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Asker } from './talk-requests.mjs';

const PATIENCE_MS = 300_000;
/** So many requests one after another, and each machine has answered one of them. */
const TURNS = 12;

/**
 * @param {object} stage
 * @param {{api_url: string, router_url: string, admin: {username: string, password: string}, apps_domain: string}} stage.up
 * @param {string} stage.home `$UNIK_HOME` of it
 * @param {(args: string[], options?: {input?: string}) => Promise<string>} stage.cf what it said; throws when it fails
 * @param {(args: string[]) => Promise<string>} stage.unik the same for `bin/unik`
 * @param {(typed: string, work: () => Promise<string>) => Promise<void>} stage.step prints, keeps time
 * @param {() => void} stage.answered the first answer is there
 * @param {(ms: number) => Promise<void>} stage.pause throws when the talk was interrupted
 */
export async function talk(stage) {
  const { up, home, cf, unik, step, pause } = stage;
  const url = `http://hello.${up.apps_domain}:${new URL(up.router_url).port}`;
  const asker = new Asker(url, up.router_url, pause);
  const type = (line, options) => step(`cf ${line}`, () => cf(line.split(' '), options));
  const before = filesOf(home);
  let three = [];
  let victim = '';

  await type(`api ${up.api_url}`);
  // The password is typed at its prompt.
  await type(`login -u ${up.admin.username}`, { input: `${up.admin.password}\n` });
  await type('install-plugin -f dist/cf-unik-plugin');
  await type('push hello --no-start -p samples/hello');
  await type('enable-unik hello');
  await type('start hello');
  await step(`curl ${url}`, async () => (await asker.ask({ mustBe: 200 })).body);
  stage.answered();

  await type('scale hello -i 3');
  await step('three machines answer', async () => {
    three = await asker.until((ids) => ids.length === 3, { turns: TURNS, most_ms: PATIENCE_MS });
    return three.join('\n');
  });
  await type('unik-apps');
  await step('cf logs hello --recent', async () => recentLines(() => cf(['logs', 'hello', '--recent']), pause));

  [victim] = three;
  const others = three.filter((id) => id !== victim);
  const watch = asker.watch(others, TURNS);
  try {
    const old = sinceOf(await cf(['app', 'hello']));
    await step(`bin/unik rm ${victim}`, () => unik(['rm', victim]));
    await step('cf app hello: it goes', () =>
      seen(
        () => cf(['app', 'hello']),
        pause,
        (text) => !/instances:\s+3\/3/.test(text) || sinceOf(text) !== old,
      ),
    );
    await step('cf app hello: another comes', () =>
      seen(
        () => cf(['app', 'hello']),
        pause,
        (text) => /instances:\s+3\/3/.test(text),
      ),
    );
    await step('three machines answer, the dead one not among them', async () => {
      const now = await asker.until((ids) => ids.length === 3 && !ids.includes(victim), {
        ...{ turns: TURNS, most_ms: PATIENCE_MS },
      });
      return now.join('\n');
    });
  } finally {
    await step('the two others answered throughout', () => watch.end());
  }
  await type('delete -r -f hello');
  await step('nothing is left of it', () => nothingIsLeft({ asker, home, before, unik, pause }));
}

/** The last lines; staging's, the kernel's and the app's own are there. A log-cache takes a moment to have them. */
async function recentLines(read, pause) {
  const wanted = [/\[STG\/\d+\]/, /\[CELL\/\d+\] OUT .*Linux version/, /\[APP\/PROC\/WEB\/\d+\]/];
  const text = await seen(read, pause, (said) => wanted.every((one) => one.test(said)));
  const lines = text.trimEnd().split('\n');
  const samples = wanted.map((one) => lines.find((line) => one.test(line)));
  return [...samples, '   ...', ...lines.slice(-8)].join('\n');
}

/** Reads until it fits. */
async function seen(read, pause, fits) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const text = await read();
    if (fits(text)) return text;
    if (Date.now() > deadline) throw new Error(`after ${PATIENCE_MS / 1000} s it still says:\n${text}`);
    await pause(200);
  }
}

/** Since when each instance is as it is. */
const sinceOf = (text) => (text.match(/^#\d+.*?\d{4}-\S+Z/gm) ?? []).map((line) => line.split(/\s+/)[2]).join();

async function nothingIsLeft({ asker, home, before, unik, pause }) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const { status } = await asker.ask();
    const machines = processesOf(home).filter(({ command }) => command.includes('qemu-system'));
    const listed = JSON.parse(await unik(['ps', '--cells', '--json']));
    const files = [...filesOf(home)].filter((file) => !before.has(file));
    if (status === 404 && machines.length === 0 && listed.length === 0 && files.length === 0) {
      return 'no route, no machine, no file';
    }
    if (Date.now() > deadline) {
      const left = [...machines.map(({ command }) => command), ...listed.map(({ id }) => id), ...files];
      throw new Error(`the route answers ${status}; left: ${left.join('\n')}`);
    }
    await pause(200);
  }
}

/** Every process that names our home. */
export function processesOf(home) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return command.includes(home) ? [{ pid: Number(pid), command }] : [];
      } catch {
        // It ended while we looked.
        return [];
      }
    });
}

/** What a cell keeps of what it fetched and unpacked, within its bound, for whoever needs the same bits again. */
const CACHES = /^cf\/cells\/[^/]+\/home\/(downloads|droplets|images|staging\/trees)\//;
/** The cell's own notes, which are there whatever runs; log-cache's lines, of which the oldest go; the CLI's own files. */
const NOTES = /^cf\/cells\/[^/]+\/home\/(accel|containers\.cursors)\.json$|^cf\/lines\/(newer|older)$|^\.cf\//;

function filesOf(home) {
  const files = readdirSync(home, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
  const paths = files.map(({ parentPath, name }) => relative(home, join(parentPath, name)));
  return new Set(paths.filter((path) => !CACHES.test(path) && !NOTES.test(path)));
}

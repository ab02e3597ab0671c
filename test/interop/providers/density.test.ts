/** Thirty machines of the static app at once, 32 MB of application memory each: all answer, and the daemon stays small and idle. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fetchUntil200, makeUnik, processesOf, root, until, type Unik } from '../../support/unik.js';

const machines = 30;

describe(`${machines} machines`, () => {
  let unik: Unik;
  beforeAll(async () => {
    unik = await makeUnik();
    await unik.ok(['build', join(root, 'samples/hello'), '-t', 'hello']);
  }, 120_000);
  afterAll(async () => {
    await unik.close();
    expect(await processesOf(unik.home)).toEqual([]);
  }, 180_000);

  test('all answer; the daemon uses under 150 MB and under 1 % of a processor', async () => {
    const urls: string[] = [];
    for (let i = 0; i < machines; i++) {
      const run = await unik.ok(['run', '-d', '--json', '--name', `m${i}`, '-p', '8080', '-m', '32', 'hello']);
      urls.push(...(JSON.parse(run) as { urls: string[] }).urls);
    }
    for (const url of urls) expect(await fetchUntil200(url, 120_000)).toContain('Hello from a unikernel');
    await until('all run', async () => {
      const rows = await unik.json<{ status: string }[]>(['ps']);
      return rows.length === machines && rows.every((row) => row.status === 'running') ? true : undefined;
    });
    const pid = Number.parseInt((await processesOf(unik.home)).find((line) => / daemon( |$)/.test(line)) ?? '', 10);
    const rss = Number(/VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
    const seconds = 30;
    // Idle begins when the last machine's boot is digested.
    await new Promise((resolve) => setTimeout(resolve, 20_000));
    const cpuBefore = await ticks(pid);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const cpu = ((await ticks(pid)) - cpuBefore) / seconds; // 100 ticks a second: ticks per second are per cent
    console.log(`daemon with ${machines} machines: ${rss.toFixed(0)} MB, ${cpu.toFixed(2)} % of a processor`);
    expect(rss).toBeLessThan(150);
    expect(cpu).toBeLessThan(1);
  }, 900_000);
});

async function ticks(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PeerNet } from '../peer-net.js';
import type { ElsewhereRow } from './elsewhere.js';

export const PROGRAM = join(import.meta.dirname, '../vboxmanage.mjs');

/** VirtualBox itself cannot be had from a package of Debian: a stand-in with its words, whose machines are QEMU's. */
export const virtualbox: ElsewhereRow = {
  provider: 'virtualbox',
  peers: [],
  async open(dir) {
    const net = await PeerNet.open();
    const standin = join(dir, 'virtualbox');
    await mkdir(standin);
    await writeFile(join(standin, 'setup.json'), JSON.stringify({ major: 7, enter: net.enter }));
    process.env['VBOX_STANDIN'] = standin;
    const machines = async (): Promise<{ name: string; pid?: number }[]> => {
      const files = await readdir(join(standin, 'machines')).catch(() => []);
      const read = files.map((file) => readFile(join(standin, 'machines', file), 'utf8').catch(() => undefined));
      return (await Promise.all(read)).flatMap((text) =>
        text === undefined || text === '' ? [] : [JSON.parse(text) as { name: string; pid?: number }],
      );
    };
    const left = async (home: string): Promise<string[]> => {
      const files = await readdir(join(home, 'vms')).catch(() => []);
      return [...(await machines()).map(({ name }) => name), ...files];
    };
    return {
      options: {
        vboxmanage: PROGRAM,
        addresses: { subnet: `${net.subnet}.0/24`, first: `${net.subnet}.20`, last: `${net.subnet}.99` },
      },
      async living() {
        const all = await machines();
        const alive = await Promise.all(all.map(async ({ pid }) => pid !== undefined && (await isRunning(pid))));
        return all.filter((_one, at) => alive[at]).map(({ name }) => name);
      },
      async lose(name) {
        const found = (await machines()).find((one) => one.name === name);
        if (found?.pid !== undefined) process.kill(found.pid, 'SIGKILL');
      },
      machines: left,
      left,
      secrets: [],
      async close() {
        for (const { pid } of await machines())
          if (pid !== undefined && (await isRunning(pid))) process.kill(pid, 'SIGKILL');
        await net.close();
        await rm(standin, { recursive: true, force: true });
      },
    };
  },
};

async function isRunning(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return status !== '' && !/^State:\s+Z/m.test(status);
}

/** Staging by those who mean no good: each is held in, the platform is told, and the cell's machines do not notice. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { lstat, readdir, readFile, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Diego } from '../diego/diego.js';
import { until } from '../unik.js';
import { scriptLifecycle, zipped } from './bits.js';
import { openStagingGround, type Ended, type StagingGround } from './ground.js';
import { LANGUAGES } from './languages.js';
import type { StagingOptions } from './task.js';

/** So that a script that got nowhere has staged well. */
const GOOD = 'echo >/tmp/droplet; echo >/tmp/output-cache; echo "{}" >/tmp/result.json';
const OWN = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

export function hostileSuite(name: string, startDiego: () => Promise<Diego>): void {
  describe(name, () => {
    let ground: StagingGround;
    let victim: Victim;
    let server: Server;
    beforeAll(async () => {
      ground = await openStagingGround(startDiego, { output_mb: 1 });
      const bits = ground.origin.add('static.zip', await LANGUAGES.static.bits(ground.home));
      victim = watch(`${await ground.run('victim', await ground.staged('victim', { bits }))}/`);
      // What is only on the host's loopback, and what is on all its addresses.
      server = createServer((socket) => socket.on('error', () => undefined).end('hello\n')).listen(0, '0.0.0.0');
      await once(server, 'listening');
    }, 300_000);
    afterAll(async () => {
      await victim.stop();
      server.close();
      await ground.stop('victim');
      await ground.close();
    }, 60_000);

    let count = 0;
    /** A task with this script as its builder; afterwards nothing of it is left, and the machine answered all along. */
    async function stage(script: string, over: Partial<StagingOptions> = {}): Promise<Ended> {
      const guid = `hostile-${(count += 1)}`;
      const before = victim.answers();
      const ended = await ground.task(guid, {
        bits: ground.origin.add('app.zip', await zipped([{ name: 'a', content: 'b' }])),
        lifecycle: ground.origin.add(`${guid}.tgz`, await scriptLifecycle(script)),
        ...over,
      });
      for (const folder of ['tasks', 'sandboxes']) {
        await until(`${folder} to be empty`, async () =>
          (await readdir(join(ground.home, 'staging', folder))).length === 0 ? true : undefined,
        );
      }
      await until('the machine to answer again', async () => (victim.answers() > before ? true : undefined));
      expect(victim.failures()).toEqual([]);
      return ended;
    }

    test.each<[what: string, script: string, over: Partial<StagingOptions>, reason: RegExp]>([
      [
        'a fork bomb',
        'bomb() { bomb | bomb & }; bomb; sleep 600',
        { max_pids: 64 },
        /^the build had more processes and threads than its limit of 64 \(staging_limit\) Fix: .*status 137$/,
      ],
      [
        'a memory hog',
        "exec python3 -c 'b = bytearray()\nwhile True: b += bytes(1 << 20)'",
        { memory_mb: 64 },
        /^the build took more memory than its limit of 64 MB.*status 137 \(out of memory\)$/,
      ],
      [
        'a disk filler',
        'for n in $(seq 100); do head -c 2M /dev/zero >/tmp/file$n; sleep 0.01; done; sleep 600',
        { disk_mb: 32 },
        /^the build wrote more than its limit of 32 MB.*status 137$/,
      ],
      ['endless output', 'yes', {}, /^the build printed more than its limit of 1048576 bytes .*status 137$/],
      ['an endless loop', 'while :; do :; done', { timeout_ms: 2_000 }, /^exceeded 2s timeout/],
    ])(
      '%s is ended as a whole',
      async (_what, script, over, reason) => {
        const { failed, failure_reason } = await stage(script, over);
        expect({ failed, failure_reason }).toEqual({ failed: true, failure_reason: expect.stringMatching(reason) });
      },
      120_000,
    );

    test('neither the BBS, the rep, the host nor the metadata service is reached', async () => {
      const open = (server.address() as AddressInfo).port;
      const places = [
        `127.0.0.1/${new URL(ground.diego.bbs_url).port}`,
        `127.0.0.1/${ground.rep_port}`,
        `127.0.0.1/${open}`,
        // The name that the user-mode network has for the host's loopback.
        `10.0.2.2/${ground.rep_port}`,
        `${OWN ?? '127.0.0.2'}/${open}`,
        '169.254.169.254/80',
      ];
      const script = places.map(
        (place) => `timeout 3 bash -c 'exec 3<>/dev/tcp/${place}' 2>&1 && echo REACHED ${place}; echo tried ${place}`,
      );
      const { failed, said } = await stage(`${script.join('\n')}\n${GOOD}`);
      expect(failed).toBe(false);
      expect(said.filter((line) => line.startsWith('out tried'))).toHaveLength(places.length);
      expect(said.filter((line) => line.includes('REACHED'))).toEqual([]);
    }, 120_000);

    test.each<[what: string, attempts: (home: string) => string[]]>([
      [
        'nests namespaces',
        () => ['unshare -U', 'unshare -r', 'unshare -n', 'bwrap --ro-bind / / true', 'nsenter -t 1 -n true'],
      ],
      [
        'reads passwords, keys, and other applications',
        (home) => [
          ...['cat /etc/shadow', 'ls /root', `ls ${home}`, `cat ${home}/cell.json`, `ls ${home}/staging/tasks`],
          ...[`ls ${home}/droplets`, 'ls /var/lib', 'cat /proc/1/root/etc/shadow'],
        ],
      ],
      [
        'kills what is outside',
        () => [`kill -9 ${process.pid}`, `kill -9 ${process.ppid}`, 'killall qemu-system-x86_64 2>/dev/null'],
      ],
      [
        'writes where other tasks read',
        (home) => [
          ...['touch /tmp/lifecycle/evil', 'echo evil >/tmp/lifecycle/builder', `touch ${home}/staging/trees/evil`],
          ...[`touch ${home}/fetch/evil`, 'touch /usr/bin/evil'],
        ],
      ],
    ])(
      'nobody %s',
      async (_what, attempts) => {
        // The first one works: the others could be told if they did.
        const tried = ['touch /tmp/own', ...attempts(ground.home)].map(
          (line, at) => `(${line}) >/dev/null 2>&1 && echo DONE ${at}; echo ${at}`,
        );
        const { failed, said } = await stage(`${tried.join('\n')}\n${GOOD}`);
        expect(failed).toBe(false);
        expect(said.filter((line) => /^out \d+$/.test(line))).toHaveLength(tried.length);
        expect(said.filter((line) => line.includes('DONE'))).toEqual(['out DONE 0']);
      },
      120_000,
    );

    test('a port it listens on is none of the host', async () => {
      const script = `exec python3 -c '
import socket, sys, time
s = socket.socket(); s.bind(("0.0.0.0", 0)); s.listen()
print("listening on", s.getsockname()[1], flush=True)
time.sleep(600)'`;
      const from = ground.lines.length;
      const ending = stage(script, { timeout_ms: 6_000 });
      const port = await until(
        'it to listen',
        async () => ground.lines.slice(from).flatMap((line) => /^STG out listening on (\d+)$/.exec(line)?.[1] ?? [])[0],
      );
      for (const host of ['127.0.0.1', ...(OWN === undefined ? [] : [OWN])]) {
        await expect(reach(host, Number(port))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      }
      expect(await ending).toMatchObject({ failed: true });
    }, 120_000);

    test('links in place of a droplet, and in one, lead nowhere', async () => {
      const secret = join(ground.home, 'secret');
      await writeFile(secret, 'secret\n', { mode: 0o644 });
      const before = await lstat(secret);
      const linked = await stage(`${GOOD}; ln -sf ${secret} /tmp/droplet; ln -sf /etc/hostname /tmp/result.json`);
      expect(linked).toMatchObject({ failed: true, failure_reason: expect.stringContaining('(bad_request) Fix: ') });

      const inside = `cd /tmp; mkdir -p d/deps/0/unik/image; ln -s ${secret} d/deps/0/unik/image/image.json
        ln -s / d/deps/0/unik/image/root.erofs; tar -czf /tmp/droplet -C d .`;
      const { failed } = await stage(`${GOOD}; ${inside}`);
      expect(failed).toBe(false);
      const { control, origin } = ground;
      const bytes = ground.uploadOf(`/v1/droplet/hostile-${count}?`).bytes;
      await control.desire({ process_guid: 'linked', droplet: origin.add('linked.droplet', bytes) });
      const crashed = await control.one('linked', 'a crash', ({ crash_reason }) => crash_reason !== '');
      expect(crashed.crash_reason).toContain('cf restage');
      await control.remove('linked');
      await control.gone('linked');
      const after = await lstat(secret);
      expect([after.ino, after.uid, after.mode, await readFile(secret, 'utf8')]).toEqual([
        ...[before.ino, before.uid, before.mode, 'secret\n'],
      ]);
      expect(origin.uploads.filter((upload) => upload.bytes.includes('secret\n'))).toEqual([]);
    }, 180_000);
  });
}

interface Victim {
  answers(): number;
  failures(): string[];
  stop(): Promise<void>;
}

/** Asks an address again and again. */
function watch(url: string): Victim {
  let answers = 0;
  const failures: string[] = [];
  const over = new AbortController();
  const asking = (async () => {
    while (!over.signal.aborted) {
      const reply = await fetch(url, { signal: AbortSignal.timeout(20_000) }).then(
        async (one) => `${one.status} ${await one.text()}`,
        String,
      );
      if (reply === `200 ${LANGUAGES.static.body}`) answers += 1;
      else failures.push(reply);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  })();
  return {
    answers: () => answers,
    failures: () => failures,
    async stop() {
      over.abort();
      await asking;
    },
  };
}

async function reach(host: string, port: number): Promise<void> {
  const socket = connect({ host, port, timeout: 5_000 });
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}

import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { lstat, mkdir, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { identify, isAlive, kill } from '../../../../core/process.js';
import { Sandboxed } from '../../../support/sandboxed.js';

/** Most take a third of a second; a busy machine may take its time. */
jest.setTimeout(60_000);

const ROOT = process.getuid?.() === 0;
let box: Sandboxed;
beforeAll(async () => {
  box = await Sandboxed.make();
});
afterAll(() => box.remove());

const fields = (text: string): Record<string, string> =>
  Object.fromEntries(text.split('\n').map((line) => line.split(/:\s+/) as [string, string]));

describe('a job', () => {
  test('is an ordinary account with no capability, under a filter, and can gain nothing', async () => {
    const { out, code, ended_by } = await box.run('id -u; id -un; cat /proc/self/status');
    expect({ code, ended_by }).toEqual({ code: 0, ended_by: 'itself' });
    const [uid, name, ...status] = out.split('\n');
    expect([uid, name]).toEqual(['2000', 'vcap']);
    const none = '0000000000000000';
    expect(fields(status.join('\n'))).toMatchObject({
      CapEff: none,
      CapPrm: none,
      CapBnd: none,
      NoNewPrivs: '1',
      Seccomp: '2',
    });
  });

  test('has namespaces of its own, all seven', async () => {
    const kinds = ['user', 'pid', 'ipc', 'uts', 'mnt', 'cgroup', 'net'];
    const script = `for kind in ${kinds.join(' ')}; do readlink /proc/self/ns/$kind; done; hostname`;
    const mine = await Promise.all(kinds.map(async (kind) => readlink(`/proc/self/ns/${kind}`)));
    const theirs = (await box.run(script)).out.trim().split('\n');
    expect(theirs.pop()).toBe('staging');
    expect(theirs).toHaveLength(kinds.length);
    expect(theirs.filter((namespace) => mine.includes(namespace))).toEqual([]);
  });

  test('gives its exit status, its two streams apart, and the signal that ended it', async () => {
    const failed = await box.run('echo one; echo two >&2; exit 3');
    expect(failed).toEqual({
      code: 3,
      ended_by: 'itself',
      message: 'ended with exit status 3',
      out: 'one\n',
      err: 'two\n',
    });
    expect(await box.run('kill -SEGV $$')).toMatchObject({ code: 139, signal: 'SIGSEGV', ended_by: 'itself' });
  });

  test('may open its own output by name, and has nothing else open', async () => {
    const { out, err } = await box.run('echo again >/dev/stdout; echo wrong >/dev/stderr; ls /proc/$$/fd');
    // The fourth is the folder that is being read.
    expect(out.split('\n').filter(Boolean)).toEqual(['again', '0', '1', '2', '3']);
    expect(err).toBe('wrong\n');
  });

  test('has only the environment it is given, and no other process can read it', async () => {
    const { out } = await box.run('env; tr "\\0" "\\n" </proc/1/environ; tr "\\0" "\\n" </proc/1/cmdline', {
      env: { PATH: '/usr/bin', SECRET: 'a=b "c"\nd 🐘' },
    });
    expect(out).toContain('SECRET=a=b "c"\nd 🐘\n');
    expect(out.match(/SECRET/g)).toHaveLength(1);
    expect(out).not.toContain('JEST_WORKER_ID');
    expect(out).not.toContain('STAGED');
  });

  test('writes to its writable mounts, /tmp and nowhere else', async () => {
    await mkdir(join(box.base, 'bits'));
    await writeFile(join(box.base, 'bits', 'index.js'), '1');
    const script = `for at in / /usr /etc /home/vcap /dev /run /bits /proc/sys/kernel /work /tmp; do
      (echo x >$at/probe) 2>/dev/null && echo $at
    done; echo y >/bits/index.js`;
    const mounts = [
      { host: box.work, inside: '/work', writable: true },
      { host: join(box.base, 'bits'), inside: '/bits', writable: false },
    ];
    const { out } = await box.run(script, { mounts });
    expect(out.trim().split('\n')).toEqual(['/work', '/tmp']);
    expect(await readFile(join(box.work, 'probe'), 'utf8')).toBe('x\n');
    expect(await readFile(join(box.base, 'bits', 'index.js'), 'utf8')).toBe('1');
  });

  test('changes what lies in a writable folder, whoever put it there', async () => {
    await mkdir(join(box.work, 'deep', 'er'), { recursive: true, mode: 0o700 });
    await writeFile(join(box.work, 'deep', 'er', 'file'), 'old', { mode: 0o600 });
    expect((await box.run('echo new >deep/er/file && rm -r deep/er')).code).toBe(0);
  });

  test("a program that is not there is its own failure, not the sandbox's", async () => {
    expect(await box.run('', { argv: ['/no/such'] })).toMatchObject({
      code: 127,
      ended_by: 'itself',
      message: expect.stringContaining('/no/such') as unknown,
    });
  });

  test('leaves nothing running when its program ends', async () => {
    const { out, code } = await box.run('sleep 1000 & (setsid sleep 1001 &) ; echo $!');
    expect([out.trim(), code]).toEqual(['3', 0]);
    expect(await processesNamed('sleep 100[01]')).toEqual([]);
  });
});

describe('what is hostile', () => {
  test('finds neither passwords, keys, homes nor other jobs', async () => {
    await writeFile(join(box.base, 'other'), 'secret');
    const script = `for at in /etc/shadow /etc/ssh /etc/ssl/private /root /home/* /var /srv /sys /boot ${box.base}/other ${process.cwd()}/package.json; do
      cat "$at" 2>/dev/null; ls -A "$at" 2>/dev/null
    done`;
    expect(await box.run(script)).toMatchObject({ out: '', err: '' });
  });

  test.each([
    ['a user namespace', 'unshare -U true'],
    ['a user namespace with root', 'unshare -r true'],
    ['a network namespace', 'unshare -n true'],
    ['a mount', 'mount -t tmpfs none /tmp'],
    [
      'a mount by the newer calls',
      'python3 -c "import ctypes,sys; sys.exit(ctypes.CDLL(None,use_errno=True).syscall(430,b\'tmpfs\',0) < 0)"',
    ],
    ['a sandbox in the sandbox', 'bwrap --ro-bind / / true'],
    ['a namespace of process 1', 'nsenter -t 1 -n true'],
    ['a device', 'mknod /work/disk b 254 0'],
    ['more privileges', 'su -c true'],
    ['a trace of another process', 'python3 -c "import ctypes,sys; sys.exit(ctypes.CDLL(None).ptrace(16,1,0,0) < 0)"'],
    ["the kernel's keys", 'python3 -c "import ctypes,sys; sys.exit(ctypes.CDLL(None).syscall(250,0,-3,1) < 0)"'],
    ['a vsock to whoever runs this host', 'python3 -c "import socket; socket.socket(40, 1)"'],
    ['a packet socket', 'python3 -c "import socket; socket.socket(17, 3)"'],
  ])('does not get %s', async (_what, script) => {
    const { code } = await box.run(`${script} 2>/dev/null`);
    expect(code).toBeGreaterThan(0);
    expect(code).toBeLessThan(127);
  });

  test('sees no process of the host, and ends none', async () => {
    const victim = spawn('sleep', ['60']);
    const who = await identify(victim.pid ?? 0);
    const { out } = await box.run(`kill -9 ${victim.pid} ${process.pid}; echo /proc/[0-9]*; kill -9 -1`);
    expect(out).not.toContain(`/proc/${victim.pid}`);
    expect(who && (await isAlive(who))).toBe(true);
    if (who) await kill(who, 'SIGKILL');
  });

  test('leads the host nowhere by links', async () => {
    const outside = join(box.base, 'outside');
    await writeFile(outside, 'untouched', { mode: 0o600 });
    const before = await lstat(outside);
    await box.run(`ln -s ${outside} link; ln -s / root; ln -s ${box.base} base; ln ${outside} hard`);
    expect((await lstat(join(box.work, 'link'))).isSymbolicLink()).toBe(true);
    // The next job gets the folder again: its account is given what is in it, not what that points to.
    const { code } = await box.run('cat link root/etc/shadow base/outside 2>/dev/null');
    expect(code).toBe(1);
    const after = await lstat(outside);
    expect([after.uid, after.mode, after.nlink]).toEqual([before.uid, before.mode, 1]);
    const through = { host: join(box.work, 'base'), inside: '/cache', writable: true };
    await expect(box.run('true', { mounts: [through] })).rejects.toMatchObject({ code: 'bad_request' });
    const further = { host: join(box.work, 'base', 'work'), inside: '/cache', writable: true };
    await expect(box.run('true', { mounts: [further] })).rejects.toMatchObject({ code: 'bad_request' });
    await rm(join(box.work, 'base'));
  });

  test("reaches another app's cache neither by name nor as the same account", async () => {
    const caches = await Promise.all(
      ['a', 'b'].map(async (name) => {
        const host = join(box.base, `cache-${name}`);
        await mkdir(host, { mode: 0o700 });
        return { host, inside: '/cache', writable: true };
      }),
    );
    const [mine, theirs] = caches as [(typeof caches)[0], (typeof caches)[0]];
    await box.run('echo theirs >/cache/entry', { mounts: [theirs], cwd: '/cache' });
    const { code } = await box.run(
      `echo mine >/cache/entry; echo evil >${theirs.host}/entry; cat /cache/../../cache-b/entry`,
      {
        mounts: [mine],
        cwd: '/cache',
      },
    );
    expect(code).toBe(1);
    expect(await readFile(join(theirs.host, 'entry'), 'utf8')).toBe('theirs\n');
    expect(await readFile(join(mine.host, 'entry'), 'utf8')).toBe('mine\n');
  });

  test('running side by side, two jobs are strangers', async () => {
    const ids = ['side-a', 'side-b'];
    const folders = ids.map((id) => join(box.base, id));
    for (const folder of folders) await mkdir(folder);
    let up = 0;
    const output = (): void => {
      if (++up === ids.length) for (const folder of folders) writeFileSync(join(folder, 'go'), '');
    };
    const owners = await Promise.all(
      ids.map(async (id, index) => {
        const host = folders[index] ?? '';
        const mounts = [{ host, inside: '/work', writable: true }];
        const { out } = await box.run('echo up; until [ -e go ]; do sleep 0.1; done; echo >mine; echo /proc/[0-9]*', {
          id,
          mounts,
          output,
        });
        expect(out).toMatch(/^up\n\/proc\/1 \/proc\/2\n$/);
        return (await lstat(join(host, 'mine'))).uid;
      }),
    );
    expect(new Set([...owners, 0]).size).toBe(ROOT ? 3 : 2);
  });
});

test('the same id twice at once is refused', async () => {
  const first = box.run('until [ -e go ]; do sleep 0.1; done', { id: 'twice' });
  while (!(await readdir(box.jobs)).includes('twice')) await delay(10);
  await expect(box.run('true', { id: 'twice' })).rejects.toMatchObject({ code: 'conflict' });
  await writeFile(join(box.work, 'go'), '');
  expect((await first).code).toBe(0);
});

async function processesNamed(pattern: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.map((line) => line.replaceAll('\0', ' ')).filter((line) => new RegExp(`^${pattern}`).test(line));
}

import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Key, MachineHandle, Owner, StreamName } from '../../executor/model.js';
import type { ConsolePosition, MachineSpec, Provider } from '../../executor/providers/provider.js';
import { CaseReport } from '../support/case-report.js';

/**
 * What the application inside does:
 * `web`: answers HTTP 200 on guest port 8080 (published, host port 0); on SIGTERM it prints `goodbye` and ends with 0.
 * `exit3`: prints `one`, `two` on standard output and `oops` on standard error, ends with 3.
 * `deaf`: publishes 8080 likewise, never listens, ends with 0 on SIGTERM.
 * `ignores-term`: lives, ignores SIGTERM. `chatty`: prints `line 1` to `line 500`, ends with 0.
 */
export type MachineKind = 'web' | 'exit3' | 'deaf' | 'ignores-term' | 'chatty';

export interface Subject {
  provider: Provider;
  /** A spec whose environment also holds `SECRET=hunter2-hunter2`. */
  makeSpec(kind: MachineKind, who: { key: Key; owner: Owner }): MachineSpec;
  /** A new provider object over the same state, as after our restart; the old object is no longer used. */
  reopen(): Promise<Provider> | Provider;
  /** What is left on this host of any machine: processes, files, sockets, interfaces. */
  leftovers(): Promise<string[]> | string[];
  close(): Promise<void>;
}

const never = (): AbortSignal => new AbortController().signal;
const A = 'contract/a';
const B = 'contract/b';

/** The suite every provider passes. `patience_ms`: how long a machine may take to come up or to end. */
export function providerContract(name: string, makeSubject: () => Promise<Subject>, patience_ms = 10_000): void {
  describe(`provider contract: ${name}`, () => {
    let subject: Subject;
    let provider: Provider;
    let serial = 0;
    const report = new CaseReport(name);
    afterAll(() => report.write());

    beforeEach(async () => {
      subject = await makeSubject();
      provider = subject.provider;
    }, patience_ms);
    afterEach(async () => {
      for (const owner of [A, B]) {
        for (const handle of await provider.list(owner)) await provider.destroy(handle);
      }
      await subject.close();
    }, patience_ms);

    const it = (what: string, body: () => Promise<void>): void =>
      test(what, () => report.note(what, body), patience_ms * 3);
    const spec = (kind: MachineKind, owner = A): MachineSpec =>
      subject.makeSpec(kind, { owner, key: `contract-${String(process.pid)}-${String(++serial)}` });
    const start = (kind: MachineKind, owner = A): Promise<MachineHandle> => provider.start(spec(kind, owner), never());
    const reopen = async (): Promise<void> => void (provider = await subject.reopen());
    const reaches = (handle: MachineHandle, port = 8080): Promise<boolean> =>
      provider.reaches(handle, port, 2_000, never());
    const up = (handle: MachineHandle): Promise<void> => eventually(() => reaches(handle), patience_ms);
    const keys = async (owner = A): Promise<Key[]> => (await provider.list(owner)).map((handle) => handle.key).sort();
    const alive = async (handle: MachineHandle): Promise<boolean> => {
      const watch = new AbortController();
      const exit = provider.exits(handle, watch.signal).then(
        () => false,
        () => true,
      );
      await delay(50);
      watch.abort(new Error('seen enough'));
      return exit;
    };
    const output = async (handle: MachineHandle, from: ConsolePosition = {}): Promise<Record<StreamName, string>> => {
      const bytes: Record<StreamName, Uint8Array[]> = { kernel: [], stdout: [], stderr: [] };
      for await (const chunk of provider.console(handle, from, never())) bytes[chunk.stream].push(chunk.bytes);
      const text = (stream: StreamName): string => Buffer.concat(bytes[stream]).toString();
      return { kernel: text('kernel'), stdout: text('stdout'), stderr: text('stderr') };
    };

    it('starts one machine per key, however often it is asked', async () => {
      const wanted = spec('deaf');
      const [one, two] = await Promise.all([provider.start(wanted, never()), provider.start(wanted, never())]);
      expect(two).toEqual(one);
      expect(await provider.start(wanted, never())).toEqual(one);
      expect(await keys()).toEqual([wanted.key]);
    });

    it('gives a handle that names its machine, survives JSON and holds no secret', async () => {
      const handle = await start('web');
      expect(handle).toMatchObject({ provider: provider.name, owner: A });
      const json = JSON.stringify(handle);
      expect(JSON.parse(json)).toEqual(handle);
      expect(json).not.toContain('hunter2-hunter2');
      expect(handle.ports.map((port) => port.guest_port)).toEqual([8080]);
      expect(handle.ports[0]?.host_port).toBeGreaterThan(0);
    });

    it('lists and ends machines of the owner asked for only', async () => {
      const mine = await start('deaf', A);
      const theirs = await start('deaf', B);
      expect(await keys(A)).toEqual([mine.key]);
      expect(await keys(B)).toEqual([theirs.key]);
      await provider.destroy({ ...theirs, owner: A });
      await provider.destroy(mine);
      expect(await keys(A)).toEqual([]);
      expect(await keys(B)).toEqual([theirs.key]);
      expect(await alive(theirs)).toBe(true);
    });

    it('tells the exit status, at once also when asked late and after our restart', async () => {
      const handle = await start('exit3');
      expect(await provider.exits(handle, never())).toMatchObject({ reason: 'exited', code: 3 });
      expect(await provider.exits(handle, never())).toMatchObject({ reason: 'exited', code: 3 });
      await reopen();
      expect(await provider.recover(handle)).toMatchObject({ key: handle.key, owner: A });
      expect(await provider.exits(handle, never())).toMatchObject({ reason: 'exited', code: 3 });
    });

    it('stops waiting for the exit when the signal fires', async () => {
      const handle = await start('deaf');
      const watch = new AbortController();
      const exit = provider.exits(handle, watch.signal);
      watch.abort(new Error('enough'));
      await expect(exit).rejects.toThrow();
    });

    it('stops politely: the application sees SIGTERM and its last words are on the console', async () => {
      const handle = await start('web');
      await up(handle);
      await provider.stop(handle, patience_ms);
      expect(await provider.exits(handle, never())).toMatchObject({ reason: 'exited', code: 0 });
      expect((await output(handle)).stdout).toContain('goodbye');
      expect(await reaches(handle)).toBe(false);
    });

    it('cuts the power of an application that ignores SIGTERM', async () => {
      const handle = await start('ignores-term');
      await eventually(async () => (await alive(handle)) && (await provider.list(A)).length === 1, patience_ms);
      await provider.stop(handle, 500);
      const exit = await provider.exits(handle, never());
      expect(exit.code === 137 || exit.reason === 'killed').toBe(true);
    });

    it('lets a second stop with a shorter grace end it sooner', async () => {
      const handle = await start('ignores-term');
      const patient = provider.stop(handle, 3_600_000);
      await provider.stop(handle, 100);
      await patient;
      expect(await alive(handle)).toBe(false);
    });

    it('delivers signals; SIGKILL always ends it; ended machines may be stopped and killed again', async () => {
      const polite = await start('web');
      await up(polite);
      await provider.kill(polite, 'SIGTERM');
      expect(await provider.exits(polite, never())).toMatchObject({ code: 0 });
      const stubborn = await start('ignores-term');
      await provider.kill(stubborn, 'SIGKILL');
      await provider.exits(stubborn, never());
      await provider.stop(stubborn, 100);
      await provider.kill(stubborn, 'SIGTERM');
    });

    it('destroys living and ended machines, twice, and leaves nothing', async () => {
      const living = await start('web');
      await up(living);
      const ended = await start('exit3');
      await provider.exits(ended, never());
      const door = provider.endpoint(living, 8080);
      for (const handle of [living, ended, living, ended]) await provider.destroy(handle);
      expect(await keys()).toEqual([]);
      expect(await provider.recover(living)).toBeUndefined();
      expect(await provider.recover(ended)).toBeUndefined();
      expect(await reaches(living)).toBe(false);
      if (door) await expect(httpStatus(door.host, door.port)).rejects.toThrow();
      expect(await subject.leftovers()).toEqual([]);
    });

    it('takes a living machine back after our restart', async () => {
      const handle = await start('web');
      await up(handle);
      await reopen();
      const found = await provider.recover(handle);
      expect(found).toMatchObject({ key: handle.key, ports: handle.ports });
      await up(handle);
      expect(await alive(handle)).toBe(true);
      await provider.stop(handle, patience_ms);
      expect(await provider.exits(handle, never())).toMatchObject({ reason: 'exited', code: 0 });
      expect((await output(handle)).stdout).toContain('goodbye');
    });

    it('keeps the streams apart and gives past bytes first', async () => {
      const handle = await start('exit3');
      expect(await provider.exits(handle, never())).toMatchObject({ reason: 'exited', code: 3 });
      const said = await output(handle);
      if (provider.capabilities.separateStreams) {
        expect(said).toMatchObject({ stdout: 'one\ntwo\n', stderr: 'oops\n' });
      } else {
        expect(said.stdout).toMatch(/one\r?\ntwo/);
      }
    });

    it('continues the console from a position, across our restart, without loss or repeat', async () => {
      const handle = await start('chatty');
      const position: ConsolePosition = {};
      let text = '';
      for await (const chunk of provider.console(handle, {}, never())) {
        position[chunk.stream] = chunk.end;
        if (chunk.stream === 'stdout') text += Buffer.from(chunk.bytes).toString();
        if (text.length > 200) break;
      }
      await provider.consoleStored(handle, position);
      await reopen();
      await provider.recover(handle);
      text += (await output(handle, position)).stdout;
      const lines = Array.from({ length: 500 }, (_, n) => `line ${String(n + 1)}\n`);
      expect(text.replaceAll('\r', '')).toBe(lines.join(''));
    });

    it('sees whether the guest listens, and serves HTTP where it says it does', async () => {
      const web = await start('web');
      const deaf = await start('deaf');
      await up(web);
      const door = provider.endpoint(web, 8080);
      if (door) expect(await httpStatus(door.host, door.port)).toBe(200);
      expect(await reaches(web, 8081)).toBe(false);
      expect(await reaches(deaf)).toBe(false);
      expect(await alive(deaf)).toBe(true);
      const closed = provider.endpoint(deaf, 8080);
      if (closed) await expect(httpStatus(closed.host, closed.port)).rejects.toThrow();
    });

    it('runs several at once', async () => {
      const machines = await Promise.all([start('web'), start('exit3'), start('deaf'), start('web')]);
      expect(await keys()).toEqual(machines.map((machine) => machine.key).sort());
      expect(new Set(machines.flatMap((machine) => machine.ports.map((port) => port.host_port))).size).toBe(3);
      await Promise.all(machines.map((machine) => provider.destroy(machine)));
      expect(await subject.leftovers()).toEqual([]);
    });

    it('leaves nothing of a start that was called off or that met a taken port', async () => {
      await expect(provider.start(spec('web'), AbortSignal.abort(new Error('called off')))).rejects.toThrow();
      const blocker = createServer().listen(0, '127.0.0.1');
      try {
        await new Promise((resolve) => blocker.once('listening', resolve));
        const wanted = spec('web');
        const ports = wanted.ports.map((port) => ({ ...port, host_port: (blocker.address() as AddressInfo).port }));
        await expect(provider.start({ ...wanted, ports }, never())).rejects.toMatchObject({ code: 'port_taken' });
      } finally {
        blocker.close();
      }
      expect(await keys()).toEqual([]);
      expect(await subject.leftovers()).toEqual([]);
    });
  });
}

async function eventually(claim: () => Promise<boolean>, patience_ms: number): Promise<void> {
  const deadline = Date.now() + patience_ms;
  while (!(await claim())) {
    if (Date.now() > deadline) throw new Error(`did not come true within ${String(patience_ms)} ms`);
    await delay(50);
  }
}

function httpStatus(host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = get({ host, port, agent: false, timeout: 5_000 }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', reject);
  });
}

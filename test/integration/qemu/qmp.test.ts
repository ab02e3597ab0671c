import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connectUnix, Qmp, type QmpEvent } from '../../../executor/providers/qemu/qmp.js';

const GREETING = '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": ["oob"]}}\r\n';
type Answer = (request: { execute: string; id: number }, peer: Socket) => unknown;

describe('the QMP client', () => {
  let dir: string;
  let server: Server | undefined;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'unik-qmp-'));
  });
  afterEach(async () => {
    server?.close();
    await rm(dir, { recursive: true, force: true });
  });

  /** Speaks as QEMU does; `answer` gives the reply to a command, or writes it itself. */
  const serve = async (answer: Answer): Promise<void> => {
    server = createServer((peer) => {
      peer.write(GREETING);
      createInterface({ input: peer }).on('line', (line) => {
        const request = JSON.parse(line) as { execute: string; id: number };
        const reply = request.execute === 'qmp_capabilities' ? { return: {} } : answer(request, peer);
        if (reply !== undefined) peer.write(`${JSON.stringify({ ...reply, id: request.id })}\r\n`);
      });
    }).listen(join(dir, 'q1'));
    await once(server, 'listening');
  };

  test('matches replies to commands, whatever comes between', async () => {
    const events: QmpEvent[] = [];
    await serve(({ execute, id }, peer) => {
      peer.write('{"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 2}}\r\n');
      // The second answer comes first.
      setTimeout(() => peer.write(`${JSON.stringify({ return: execute, id })}\r\n`), execute === 'slow' ? 50 : 0);
      return undefined;
    });
    const qmp = await Qmp.connect(dir, 'q1', { onEvent: (event) => events.push(event) });
    expect(await Promise.all([qmp.execute('slow'), qmp.execute('quick')])).toEqual(['slow', 'quick']);
    expect(events.map(({ event }) => event)).toEqual(['STOP', 'STOP']);
    qmp.close();
    await qmp.closed;
  });

  test('says what QEMU refused', async () => {
    await serve(() => ({ error: { class: 'CommandNotFound', desc: 'The command foo has not been found' } }));
    const qmp = await Qmp.connect(dir, 'q1');
    await expect(qmp.execute('foo')).rejects.toMatchObject({
      code: 'machine_failed',
      message: expect.stringContaining('The command foo has not been found') as unknown,
    });
    qmp.close();
  });

  test('fails what is open, and what comes later, when QEMU goes away', async () => {
    await serve((_request, peer) => void peer.destroy());
    const qmp = await Qmp.connect(dir, 'q1');
    await expect(qmp.execute('quit')).rejects.toMatchObject({ code: 'machine_failed' });
    await qmp.closed;
    await expect(qmp.execute('quit')).rejects.toMatchObject({ code: 'machine_failed' });
  });

  test('does not trust what is no JSON', async () => {
    await serve((_request, peer) => void peer.write('hello\n'));
    const qmp = await Qmp.connect(dir, 'q1');
    await expect(qmp.execute('x')).rejects.toMatchObject({ code: 'machine_failed' });
  });

  test('waits for its greeting, and stops waiting when told to', async () => {
    server = createServer().listen(join(dir, 'q1'));
    await once(server, 'listening');
    await expect(Qmp.connect(dir, 'q1', { signal: AbortSignal.timeout(50) })).rejects.toThrow();
  });

  test('reaches sockets in folders whose path is longer than a socket address may be', async () => {
    const deep = join(dir, 'x'.repeat(100), 'y'.repeat(100));
    await mkdir(deep, { recursive: true });
    await serve(() => ({ return: 'here' }));
    await rename(join(dir, 'q1'), join(deep, 'q1'));
    const qmp = await Qmp.connect(deep, 'q1');
    expect(await qmp.execute('x')).toBe('here');
    qmp.close();
  });

  test("a socket that nobody serves is the system's own error", async () => {
    await expect(connectUnix(dir, 'none')).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(connectUnix(dir, 'none', AbortSignal.abort(new Error('enough')))).rejects.toThrow();
  });
});

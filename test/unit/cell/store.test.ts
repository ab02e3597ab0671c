import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { RunOrder } from '../../../backend/cell/model.js';
import { argvOf } from '../../../backend/cell/store/command.js';
import { admit, roomLeft, type Claim, type Ledger } from '../../../backend/cell/store/room.js';
import { specOf } from '../../../backend/cell/store/spec.js';
import { createWords } from '../../../backend/convert/words.js';
import type { Words } from '../../../backend/cell/store/words.js';
import { anOrder, aReservation } from '../../support/cell.js';
import { anImage } from '../../support/executor.js';

describe('room', () => {
  const ledger = (memory: number, overhead: number, claims: Claim[]): Ledger => ({
    report: {
      memory_mb: { total: memory, available: Math.max(0, memory - overhead) },
      disk_mb: { total: 1000, available: 1000 },
      machines: { total: 10, available: 10 },
      overhead_mb: overhead,
    },
    claims,
    overheadMb: (memory_mb) => 72 + Math.ceil(memory_mb / 32),
  });
  const amount = fc.nat(6000);
  const claim = fc.record({ memory_mb: amount, disk_mb: fc.nat(300) });

  test('what is said to be left fits, and never oversubscribes', () => {
    fc.assert(
      fc.property(amount, fc.nat(200), fc.array(claim, { maxLength: 5 }), (memory, overhead, claims) => {
        const before = ledger(memory, overhead, claims);
        const left = roomLeft(before);
        if (left.memory_mb === 0 || left.containers === 0) return;
        // Costs are whole MB, the estimate is not: it may be one less, never more.
        expect(() => admit('x', { memory_mb: left.memory_mb - 1, disk_mb: left.disk_mb }, before)).not.toThrow();
        const cost = (of: Claim): number => of.memory_mb + Math.max(overhead, before.overheadMb(of.memory_mb));
        const used = claims.reduce((sum, one) => sum + cost(one), 0);
        expect(used + cost({ memory_mb: left.memory_mb - 1, disk_mb: 0 })).toBeLessThanOrEqual(memory);
        const code = 'insufficient_memory';
        const more = { memory_mb: memory - used + 1, disk_mb: 0 };
        expect(() => admit('x', more, before)).toThrow(expect.objectContaining({ code }));
      }),
    );
  });
});

describe('the command', () => {
  const image = anImage({ processes: { web: { argv: ['/home/vcap/app/run', 'a b'], cwd: '/home/vcap/app' } } });
  const written = anImage({ processes: image.processes, labels: { 'command.web': "npm start 'a b'" } });
  const shell = anImage({ labels: { shell: '/bin/bash' } });
  const launch = (text: string): RunOrder['launch'] => ({
    ...anOrder().launch,
    command: { kind: 'start_command', text },
  });
  test.each([
    ['none', '', image, { process_type: 'web', env: {} }],
    ["the image's own", "/home/vcap/app/run 'a b'", image, { process_type: 'web', env: {} }],
    ["the image's own, as the application wrote it", "npm start 'a b'", written, { process_type: 'web', env: {} }],
    [
      'another',
      'A=1 ./other "$PORT"',
      image,
      { argv: ['./other', '${PORT}'], expand: true, env: { A: '1' }, cwd: '/home/vcap/app' },
    ],
    ['in a folder', 'cd sub && ./x', image, { argv: ['./x'], cwd: '/home/vcap/app/sub' }],
    ['for a shell', 'a && b', shell, { argv: ['/bin/bash', '-c', 'a && b'] }],
  ])('%s', (_why, text, of, expected) => {
    expect(argvOf(launch(text), of)).toMatchObject(expected);
  });

  test('for a shell that is not there', () => {
    expect(() => argvOf(launch('a && b'), image)).toThrow(expect.objectContaining({ code: 'command_needs_shell' }));
  });
});

describe('the machine of an order', () => {
  const cell = {
    ...{ owner: 'test/cell', provider: 'fake' as const, publish_address: '10.0.0.1' },
    network: { mode: 'tap' as const, dns: [], deny: ['10.0.0.0/8'] },
  };
  const spec = (order: RunOrder, mode: 'tap' | 'user' = 'tap') => {
    const { guid, demand } = aReservation('guid-1', { memory_mb: 128, disk_mb: 0 });
    const what = { guid, kind: 'lrp' as const, demand, order, image: anImage() };
    return specOf(what, { ...cell, network: { ...cell.network, mode } });
  };
  const probe = (port: number) => ({ kind: 'port' as const, port, timeout_ms: 10 });

  test('has what was reserved, not what the order says, and only the ways out that it names', () => {
    expect(spec(anOrder({ limits: { memory_mb: 9999, disk_mb: 1, cpu_weight: 1, max_pids: 7 } }))).toMatchObject({
      ...{ key: 'guid-1', log_id: 'guid-1', max_pids: 7, grace_ms: 10_000 },
      limits: { memory_mb: 128, disk_mb: 1024, cpus: 1 },
      network: { egress: { deny: ['10.0.0.0/8'], rules: [] } },
    });
  });

  test('several checks are looked at together, and one failure counts', () => {
    const { health } = anOrder();
    const liveness = [1, 2].map((port) => ({ check: probe(port), interval_ms: 1000 * port }));
    const order = anOrder({ health: { ...health, startup: [probe(1), probe(2)], liveness } });
    expect(spec(order).health).toMatchObject({
      ...{ startup: probe(1), startup_also: [probe(2)] },
      liveness: { check: probe(1), also: [probe(2)], interval_ms: 1000, failures: 1 },
    });
  });

  test('several programs and a monitor go to the guest with what is their own', () => {
    const program = (path: string, more: Partial<RunOrder['launch']> = {}): { run: RunOrder['launch'] } => ({
      run: { ...anOrder().launch, command: { kind: 'program', argv: [path, 'x'] }, env: [], ...more },
    });
    const programs = {
      codependent: [program('/a', { env: [['A', '1']] }), program('/b', { user: 'root', cwd: '/b' })],
    };
    const found = spec(anOrder({ programs, monitor: program('cat'), lingers: true }, { ALL: '0' }));
    expect(found).toMatchObject({ env: { ALL: '0' }, lingers: true });
    expect(found.program).toEqual({
      codependent: [
        { run: { argv: ['/a', 'x'], cwd: '/home/vcap', env: { A: '1' } } },
        { run: { argv: ['/b', 'x'], cwd: '/b', env: {}, uid: 0 } },
      ],
    });
    expect(found.monitor).toEqual({
      ...{ startup_ms: 1000, interval_ms: 30_000 },
      program: { run: { argv: ['cat', 'x'], cwd: '/home/vcap', env: {} } },
    });
    // Beside a root program, one of vcap says so.
    const mixed = spec(anOrder({ launch: { ...anOrder().launch, user: 'root' }, programs: program('/v') }));
    expect([mixed.uid, mixed.program]).toMatchObject([0, { run: { uid: 2000 } }]);
  });

  test('a port that only a check asks is published on loopback, where machines have no address', () => {
    const { health } = anOrder();
    const order = anOrder({ health: { ...health, startup: [probe(8080), probe(9)] } });
    const ports = (of: ReturnType<typeof spec>): string[] =>
      of.ports.map(({ host_address, guest_port }) => `${host_address} ${guest_port}`);
    expect(ports(spec(order))).toEqual(['10.0.0.1 8080']);
    expect(ports(spec(order, 'user'))).toEqual(['10.0.0.1 8080', '127.0.0.1 9']);
  });
});

test("Diego's words are all there", () => {
  const words: Words = createWords('cell-1');
  expect(words.created('one')).toBe('Cell cell-1 successfully created container for instance one');
});

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { inventName } from '../../../backend/api/instances/names.js';
import { specFrom } from '../../../backend/api/instances/order.js';
import { resolveRef } from '../../../backend/api/instances/refs.js';
import { exitStatus, restartDelay } from '../../../backend/api/instances/restart.js';
import { instanceName } from '../../../backend/api/schema/common.js';
import { instanceRequest, type ExitView, type InstanceRequest } from '../../../backend/api/schema/instances.js';
import { anImage, DEFAULTS } from '../../support/api.js';

const spec = (request: Partial<InstanceRequest>, image = anImage()) =>
  specFrom(instanceRequest.parse({ image: 'hello', ...request }), image, 'web-1', DEFAULTS);

describe('what `ref` means', () => {
  const all = [
    { id: 'aa11', name: 'web' },
    { id: 'aa22', name: 'web-2' },
    { id: 'bb33', name: 'aa11' },
  ];
  test.each([
    ['web', 'aa11'], // exact name, though it begins another
    ['aa11', 'bb33'], // a name before an id
    ['aa2', 'aa22'],
    ['web-', 'aa22'],
  ])('%s', (ref, id) => {
    expect(resolveRef(ref, all).id).toBe(id);
  });

  test('a part from the middle means nothing, and two candidates are told', () => {
    expect(() => resolveRef('eb', all)).toThrow(expect.objectContaining({ code: 'not_found' }));
    expect(() => resolveRef('aa', all)).toThrow('"aa" may mean any of: web (aa11), web-2 (aa22)');
  });
});

describe('the order becomes a spec', () => {
  test('defaults', () => {
    expect(spec({ network: 'tap' })).toMatchObject({
      image: anImage().digest,
      process_type: 'web',
      hostname: 'web-1',
      limits: { memory_mb: 256, disk_mb: 1024, cpus: 1 },
      ports: [],
      health: { startup: { kind: 'port', port: 8080 }, start_timeout_ms: 60_000 },
      grace_ms: 10_000,
    });
  });

  test.each<[why: string, request: Partial<InstanceRequest>, guestPorts: number[]]>([
    ['a check on the isolated network needs a published port', {}, [8080]],
    ['which may be there', { ports: [{ guest_port: 8080 }] }, [8080]],
    ['the user network reaches any port', { network: 'user' }, []],
    ['but http only through a published one', { network: 'user', health: { type: 'http' } }, [8080]],
    ['a watched process needs none', { health: { type: 'process' } }, []],
  ])('%s', (_why, request, guestPorts) => {
    const { ports } = spec(request);
    expect(ports.map((port) => port.guest_port)).toEqual(guestPorts);
    expect(ports.map((port) => port.host_address)).toEqual(guestPorts.map(() => '127.0.0.1'));
  });

  test.each<[string, Partial<InstanceRequest>, object]>([
    ['the port the app is told', { env: { PORT: '3000' } }, { kind: 'port', port: 3000 }],
    ['the published port', { ports: [{ guest_port: 9000 }] }, { kind: 'port', port: 9000 }],
    [
      'the image port among the published',
      { ports: [{ guest_port: 9000 }, { guest_port: 8080 }] },
      { kind: 'port', port: 8080 },
    ],
    ['what the user says', { health: { port: 1234 }, env: { PORT: '1' } }, { kind: 'port', port: 1234 }],
    ['a path makes it http', { health: { path: '/health' } }, { kind: 'http', port: 8080, path: '/health' }],
    ['the process alone', { health: { type: 'process' } }, { kind: 'process' }],
    ['no network, no port check', { network: 'none' }, { kind: 'process' }],
  ])('checks %s', (_why, request, startup) => {
    expect(spec(request).health.startup).toMatchObject(startup);
  });

  test('a check of the process alone needs no repetition; others are repeated', () => {
    expect(spec({ health: { type: 'process' } }).health.liveness).toBeUndefined();
    expect(spec({ health: { interval_ms: 7, retries: 2 } }).health.liveness).toMatchObject({
      interval_ms: 7,
      failures: 2,
    });
  });

  test('an image without ports is checked by its process', () => {
    expect(spec({}, anImage({ ports: [] })).health.startup).toEqual({ kind: 'process' });
  });

  test('emulated machines have longer', () => {
    const order = instanceRequest.parse({ image: 'hello' });
    expect(specFrom(order, anImage(), 'x', { ...DEFAULTS, emulated: true }).health.start_timeout_ms).toBe(120_000);
  });

  test('-P publishes what the image names, once', () => {
    const image = anImage({ ports: [8080, 9090] });
    expect(spec({ publish_all: true, ports: [{ host_port: 80, guest_port: 8080 }] }, image).ports).toEqual([
      { host_address: '127.0.0.1', host_port: 80, guest_port: 8080, protocol: 'tcp' },
      { host_address: '127.0.0.1', host_port: 0, guest_port: 9090, protocol: 'tcp' },
    ]);
  });

  test('the only process type is taken; a wrong one is told', () => {
    const worker = anImage({ processes: { worker: { argv: ['/bin/w'], cwd: '/' } } });
    expect(spec({}, worker).process_type).toBe('worker');
    expect(() => spec({ process: 'clock' }, worker)).toThrow('it has: worker');
    const none = anImage({ processes: {} });
    expect(() => spec({}, none)).toThrow('it has: none');
    expect(spec({ command: ['/bin/x'] }, none).argv).toEqual(['/bin/x']);
  });

  test.each<[string, Partial<InstanceRequest>]>([
    [
      'a port twice',
      {
        ports: [
          { host_port: 80, guest_port: 1 },
          { host_port: 80, guest_port: 2 },
        ],
      },
    ],
    ['ports without a network', { network: 'none', ports: [{ guest_port: 1 }] }],
    ['a port check without a network', { network: 'none', health: { type: 'port' } }],
  ])('refuses %s', (_why, request) => {
    expect(() => spec(request)).toThrow(expect.objectContaining({ code: 'bad_request' }));
  });
});

describe('restarts', () => {
  const exit = (status: number): ExitView => ({ reason: 'exited', status, message: '', at: 0 });
  const first = { stopped: false, restarts: 0, quick: 0 };
  test.each<[string, Parameters<typeof restartDelay>, number | undefined]>([
    ['never', [{ policy: 'no' }, { exit: exit(1), ...first }], undefined],
    ['after success', [{ policy: 'always' }, { exit: exit(0), ...first }], 100],
    ['not after success', [{ policy: 'on-failure' }, { exit: exit(0), ...first }], undefined],
    ['after failure', [{ policy: 'on-failure' }, { exit: exit(1), ...first }], 100],
    [
      'not for ever',
      [
        { policy: 'on-failure', max_retries: 2 },
        { exit: exit(1), ...first, restarts: 2 },
      ],
      undefined,
    ],
    ['not when stopped', [{ policy: 'unless-stopped' }, { exit: exit(1), ...first, stopped: true }], undefined],
    ['later each time', [{ policy: 'always' }, { exit: exit(1), ...first, quick: 4 }], 1600],
    ['a minute at most', [{ policy: 'always' }, { exit: exit(1), ...first, quick: 400 }], 60_000],
  ])('%s', (_why, args, delay) => {
    expect(restartDelay(...args)).toBe(delay);
  });

  test('every end has an exit status', () => {
    expect(exitStatus({ reason: 'exited', code: 3 })).toBe(3);
    expect(exitStatus({ reason: 'stopped' })).toBe(0);
    expect(exitStatus({ reason: 'oom' })).toBe(137);
    expect(exitStatus({ reason: 'boot_failed' })).toBe(125);
    expect(exitStatus({ reason: 'unhealthy', code: 0 })).toBe(125);
    expect(exitStatus({ reason: 'unhealthy', code: 143 })).toBe(143);
  });
});

test('invented names are valid, and new even when all are taken', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), (random) => {
      const name = inventName(
        () => false,
        () => random,
      );
      expect(instanceName.safeParse(name).success).toBe(true);
      expect(
        inventName(
          (other) => other === name,
          () => random,
        ),
      ).toBe(`${name}-2`);
    }),
  );
});

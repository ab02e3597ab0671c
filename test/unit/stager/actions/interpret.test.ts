import { describe, expect, test } from '@jest/globals';
import { decode, encode, type Sent } from '../../../../backend/wire/codec.js';
import { systemClock, type Clock } from '../../../../core/clock.js';
import { UnikError } from '../../../../core/errors.js';
import type { Action as Wire } from '../../../../protos/generated.js';
import { interpret } from '../../../../stager/actions/interpret.js';
import type { Action, ActionRuntime, RunEnd } from '../../../../stager/actions/model.js';
import type { Failure } from '../../../../stager/actions/step.js';

/** As it comes over the wire. */
const action = (sent: Sent<Wire>): Action => decode('models.Action', encode('models.Action', sent));
const run = (path: string, log_source = ''): Sent<Wire> => ({ run_action: { path, log_source } });
const download = (artifact: string, from = 'http://x/'): Sent<Wire> => ({ download_action: { artifact, from } });

/** What happens in a world where programs are named after what they do: `/ok`, `/1` (a status), `/wait`, `/broken`. */
function aWorld(change: Partial<ActionRuntime> = {}): { runtime: ActionRuntime; lines: string[]; ended: string[] } {
  const lines: string[] = [];
  const ended: string[] = [];
  const runtime: ActionRuntime = {
    clock: systemClock,
    log: ({ source, stream, text }) => lines.push(`${source} ${stream} ${text}`),
    async run({ path }, _source, signal): Promise<RunEnd> {
      if (path === '/broken') throw new Error('no such file');
      if (path === '/wait') {
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        ended.push(path);
        return { status: 143 };
      }
      ended.push(path);
      if (path === '/memory') return { status: 137, out_of_memory: true };
      return { status: path === '/ok' ? 0 : Number(path.slice(1)) };
    },
    async download({ artifact }) {
      if (artifact === 'gone') throw new UnikError('download_failed', 'http://x/: status 404');
      if (artifact === 'bad') throw new UnikError('archive_invalid', 'it is no archive');
      return 1_258_291;
    },
    async upload({ artifact }) {
      if (artifact === 'gone') throw new UnikError('upload_failed', 'http://x/: status 500');
      return 512;
    },
    ...change,
  };
  return { runtime, lines, ended };
}

async function carryOut(sent: Sent<Wire>, world = aWorld(), signal = new AbortController().signal) {
  const failure = await interpret(action(sent), world.runtime, 'STG')(signal);
  return { failure, ...world };
}

const parallel = (...actions: Sent<Wire>[]): Sent<Wire> => ({ parallel_action: { actions } });
const serial = (...actions: Sent<Wire>[]): Sent<Wire> => ({ serial_action: { actions } });
const codependent = (...actions: Sent<Wire>[]): Sent<Wire> => ({ codependent_action: { actions } });
const timeout = (inner: Sent<Wire>, timeout_ms: bigint): Sent<Wire> => ({
  timeout_action: { action: inner, timeout_ms },
});

describe('an action', () => {
  test.each<[why: string, sent: Sent<Wire>, failure: string | undefined, lines: string[]]>([
    ['that runs well', run('/ok'), undefined, ['STG out Exit status 0']],
    ['that fails', run('/17'), 'STG: Exited with status 17', ['STG out Exit status 17']],
    ['with a source', run('/1', 'APP'), 'APP: Exited with status 1', ['APP out Exit status 1']],
    [
      'out of memory',
      run('/memory'),
      'STG: Exited with status 137 (out of memory)',
      ['STG out Exit status 137 (out of memory)'],
    ],
    ['that cannot begin', run('/broken'), 'no such file', ['STG out failed-creating-process: no such file']],
    ['that downloads', download('app'), undefined, ['STG out Downloading app...', 'STG out Downloaded app (1.2M)']],
    ['that downloads nameless', download(''), undefined, []],
    [
      'that downloads nothing',
      download('gone'),
      'Downloading gone failed',
      [
        'STG out Downloading gone...',
        'STG err http://x/: status 404 (download_failed)',
        'STG err fix: Check that the cell reaches the named address, and the size and checksum of what lies there.',
      ],
    ],
    [
      'that downloads rubbish',
      download('bad'),
      'Copying bad into the container failed: it is no archive',
      [
        'STG out Downloading bad...',
        'STG err it is no archive (archive_invalid)',
        'STG err fix: Give a tar, tar.gz or zip archive whose names stay inside it.',
      ],
    ],
    [
      'that uploads',
      { upload_action: { artifact: 'droplet', log_source: 'UP' } },
      undefined,
      ['UP out Uploading droplet...', 'UP out Uploaded droplet (512B)'],
    ],
    [
      'that uploads in vain',
      { upload_action: { artifact: 'gone' } },
      'Failed to upload payload for gone',
      [
        'STG out Uploading gone...',
        'STG err http://x/: status 500 (upload_failed)',
        'STG err fix: Check that the cell reaches the named address.',
      ],
    ],
    ['that tries', { try_action: { action: run('/1') } }, undefined, ['STG out Exit status 1']],
    ['of nothing', {}, 'the action is empty or of a kind that is not known', []],
    ['that wraps nothing', { try_action: {} }, undefined, []],
    [
      'in parallel',
      parallel(run('/1'), run('/ok'), run('/2')),
      'STG: Exited with status 1; STG: Exited with status 2',
      ['STG out Exit status 1', 'STG out Exit status 0', 'STG out Exit status 2'],
    ],
    ['in parallel, of none', parallel(), undefined, []],
    [
      'in series',
      serial(run('/ok'), run('/2'), run('/3')),
      'STG: Exited with status 2',
      ['STG out Exit status 0', 'STG out Exit status 2'],
    ],
    [
      'codependent on one that fails',
      codependent(run('/wait'), run('/3')),
      'STG: Exited with status 3',
      ['STG out Exit status 3', 'STG out Exit status 143'],
    ],
    [
      'codependent on one that ends well',
      codependent(run('/wait'), run('/ok')),
      'Codependent step exited',
      ['STG out Exit status 0', 'STG out Exit status 143'],
    ],
    ['in time', timeout(run('/ok'), 60_000n), undefined, ['STG out Exit status 0']],
    ['in time, failing', timeout(run('/1'), 60_000n), 'STG: Exited with status 1', ['STG out Exit status 1']],
    ['of a very long time', timeout(run('/ok'), 10n ** 14n), undefined, ['STG out Exit status 0']],
    [
      'with progress',
      {
        emit_progress_action: {
          action: run('/ok'),
          start_message: 'Begin',
          success_message: 'Done',
          failure_message_prefix: 'Bad',
        },
      },
      undefined,
      ['STG out Begin', 'STG out Exit status 0', 'STG out Done'],
    ],
    [
      'with progress, failing',
      {
        emit_progress_action: {
          action: run('/1'),
          start_message: 'Begin',
          success_message: 'Done',
          failure_message_prefix: 'Bad',
        },
      },
      'STG: Exited with status 1',
      ['STG out Begin', 'STG out Exit status 1', 'STG err Bad: STG: Exited with status 1'],
    ],
    [
      'with silent progress',
      { emit_progress_action: { action: run('/1') } },
      'STG: Exited with status 1',
      ['STG out Exit status 1'],
    ],
  ])('%s', async (_why, sent, failure, lines) => {
    const got = await carryOut(sent);
    expect(got.failure?.text).toBe(failure);
    expect(got.failure === undefined).toBe(failure === undefined);
    expect(got.lines).toEqual(lines);
  });

  test('inherits the source of the one around it', async () => {
    const sent: Sent<Wire> = { serial_action: { log_source: 'OUTER', actions: [run('/ok'), run('/ok', 'OWN')] } };
    expect((await carryOut(sent)).lines).toEqual(['OUTER out Exit status 0', 'OWN out Exit status 0']);
  });

  test('may be silent', async () => {
    const sent: Sent<Wire> = { run_action: { path: '/1', suppress_log_output: true } };
    expect(await carryOut(sent)).toMatchObject({ failure: { text: 'STG: Exited with status 1' }, lines: [] });
  });
});

describe('a timeout', () => {
  /** Time is over as soon as anybody waits for it. */
  const hasty: Clock = { now: () => 0, sleep: async () => undefined };

  test('calls its step off, and waits for its end', async () => {
    const got = await carryOut(timeout(serial(run('/wait'), run('/ok')), 900_000n), aWorld({ clock: hasty }));
    expect(got.failure).toEqual({ text: 'exceeded 15m0s timeout' });
    expect(got.ended).toEqual(['/wait']);
  });

  test('tells what else went wrong', async () => {
    const world = aWorld({ clock: { now: () => 0, sleep: (_ms, signal) => systemClock.sleep(5, signal) } });
    const got = await carryOut(timeout(parallel(run('/wait'), run('/7')), 1500n), world);
    expect(got.failure).toEqual({ text: 'exceeded 1.5s timeout; STG: Exited with status 7' });
  });
});

describe('called off', () => {
  const everywhere: [why: string, sent: Sent<Wire>][] = [
    ['a run', run('/wait')],
    ['a series', serial(run('/wait'), run('/ok'))],
    ['parallel runs', parallel(run('/wait'), run('/wait'))],
    ['codependent runs', codependent(run('/wait'), run('/wait'))],
    ['a try in a series', serial({ try_action: { action: run('/wait') } }, run('/ok'))],
    ['a timeout', timeout(run('/wait'), 60_000n)],
    ['progress', { emit_progress_action: { action: run('/wait'), success_message: 'no' } }],
  ];

  test.each(everywhere)('%s ends, and says nothing of it', async (_why, sent) => {
    const stop = new AbortController();
    const world = aWorld();
    const end = interpret(action(sent), world.runtime, 'STG')(stop.signal);
    await systemClock.sleep(1);
    stop.abort();
    expect(await end).toEqual({});
    expect(world.ended.every((path) => path === '/wait')).toBe(true);
    expect(world.ended.length).toBeGreaterThan(0);
  });

  test.each(everywhere)('%s does not even begin', async (_why, sent) => {
    const { failure, ended } = await carryOut(sent, aWorld(), AbortSignal.abort());
    expect(failure).toEqual({});
    expect(ended).toEqual([]);
  });

  test('a transfer that rejects for it is not told of', async () => {
    const stop = new AbortController();
    const waits = (_action: unknown, signal: AbortSignal): Promise<number> =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
    const world = aWorld({ download: waits, upload: waits });
    const sent = parallel(download('app'), { upload_action: { artifact: 'droplet' } });
    const end: Promise<Failure | undefined> = interpret(action(sent), world.runtime, 'STG')(stop.signal);
    stop.abort();
    expect(await end).toEqual({});
    expect(world.lines).toEqual(['STG out Downloading app...', 'STG out Uploading droplet...']);
  });

  test('a run that had to be killed says so', async () => {
    const stop = new AbortController();
    const world = aWorld({
      run: async () => {
        stop.abort();
        return { status: 137, killed_after_ms: 10_000 };
      },
    });
    expect((await carryOut(run('/x'), world, stop.signal)).lines).toEqual([
      'STG out Exit status 137 (exceeded 10s graceful shutdown interval)',
    ]);
  });
});

/** Staging tasks on a cell, from the definition to the uploaded droplet, with builders that are shell scripts. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { is } from '../../../support/cell.js';
import { scriptLifecycle, zipped } from '../../../support/staging/bits.js';
import { StagingBench } from '../../../support/staging/bench.js';
import { startOrigin, type Origin } from '../../../support/staging/origin.js';
import { stagingTask, type StagingOptions } from '../../../support/staging/task.js';

let bench: StagingBench;
let origin: Origin;
let bits: { url: string; sha256: string };
let count = 0;

beforeAll(async () => {
  origin = await startOrigin();
  bench = await StagingBench.open();
  bits = origin.add('app.zip', await zipped([{ name: 'hello.txt', content: 'hello' }]));
}, 60_000);
afterAll(async () => {
  await bench.close();
  origin.close();
}, 60_000);
beforeEach(() => {
  bench.lines.length = 0;
  origin.uploads.length = 0;
});

/** Stages with this script as its builder. */
async function stage(script: string, over: Partial<StagingOptions> = {}) {
  const guid = `task-${(count += 1)}`;
  const lifecycle = origin.add(`${guid}.tgz`, await scriptLifecycle(script));
  const task = stagingTask({ guid, bits, lifecycle, uploader: origin.url, ...over });
  const ended = await bench.stage(guid, task);
  expect(await bench.left()).toEqual([]);
  return { guid, outcome: ended.outcome };
}

const GOOD = 'cp /tmp/app/hello.txt /tmp/droplet; echo cache >/tmp/output-cache; echo "{}" >/tmp/result.json';

test('what the builder makes is uploaded, its result read, its lines told as they come', async () => {
  const { guid, outcome } = await stage(
    `echo "-----> $CF_STACK $LANG"; id -un; pwd; echo "$@" >&2; sleep 0.2; ${GOOD}`,
  );
  expect(outcome).toEqual({ failed: false, reason: '', retryable: false, result: '{}\n' });
  expect(bench.lines.slice(0, -1)).toEqual(
    [
      `STG out Cell cell-1 creating container for instance ${guid}`,
      `STG out Cell cell-1 successfully created container for instance ${guid}`,
      'STG out Downloading app package...',
      'STG out Downloaded app package (123B)',
      'STG out -----> unik en_US.UTF-8',
      'STG out vcap',
      'STG out /home/vcap',
      expect.stringMatching(/^STG err -buildpackOrder= .* -buildArtifactsCacheDir=\/tmp\/cache$/),
      'STG out Exit status 0',
      'STG out Uploading droplet, build artifacts cache...',
    ].map((line) =>
      typeof line === 'string' && line.includes('Downloaded')
        ? expect.stringMatching(/^STG out Downloaded app package \(\d+B\)$/)
        : line,
    ),
  );
  expect(bench.lines.at(-1)).toBe('STG out Uploading complete');
  const droplet = origin.uploads.find(({ path }) => path.startsWith(`/v1/droplet/${guid}?cc-droplet-upload-uri=`));
  expect(droplet?.bytes.toString()).toBe('hello');
  const digest = (name: string) => createHash(name).update('hello').digest('base64');
  expect(droplet?.headers).toMatchObject({
    ...{ 'content-md5': digest('md5'), 'content-digest': `sha-256=:${digest('sha256')}:`, 'content-length': '5' },
  });
  expect(origin.uploads.map(({ bytes }) => bytes.toString()).sort()).toEqual(['cache\n', 'hello']);
}, 60_000);

test('a builder is told where it runs, and that no port leads to it', async () => {
  await stage(`env | grep ^CF_INSTANCE | sort; ${GOOD}`);
  expect(bench.lines.filter((line) => line.includes('CF_INSTANCE'))).toEqual([
    'STG out CF_INSTANCE_ADDR=',
    'STG out CF_INSTANCE_INTERNAL_IP=192.0.2.7',
    'STG out CF_INSTANCE_IP=192.0.2.7',
    'STG out CF_INSTANCE_PORT=',
    'STG out CF_INSTANCE_PORTS=[]',
  ]);
}, 60_000);

describe('a failure', () => {
  test.each<[why: string, script: string, over: Partial<StagingOptions>, reason: string]>([
    ['of detection', 'exit 222', {}, 'STG: Exited with status 222'],
    ['of the builder', 'kill -9 $$', {}, 'STG: Exited with status 137'],
    ['to be in time', 'sleep 600', { timeout_ms: 1_500 }, 'exceeded 1.5s timeout'],
    ['to make a droplet', 'echo "{}" >/tmp/result.json', {}, 'Failed to upload payload for the upload'],
  ])(
    '%s is told as Diego tells it',
    async (_why, script, over, reason) => {
      const { outcome } = await stage(script, over);
      expect(outcome).toMatchObject({ failed: true, retryable: false, reason: expect.stringContaining(reason) });
    },
    60_000,
  );

  test('leaves the result to be read', async () => {
    const { outcome } = await stage('echo "{\\"a\\":1}" >/tmp/result.json; exit 223');
    expect(outcome).toEqual({
      ...{ failed: true, reason: 'STG: Exited with status 223', retryable: false, result: '{"a":1}\n' },
    });
  }, 60_000);

  test('of memory is called that', async () => {
    const { outcome } = await stage('x=$(head -c 300M /dev/zero | tr "\\0" a); echo ${#x}', { memory_mb: 64 });
    expect(outcome?.reason).toMatch(
      /^the build took more memory than its limit of 64 MB.* \(staging_limit\) Fix: .* STG: Exited with status 137 \(out of memory\)$/,
    );
  }, 60_000);

  test.each([
    ['missing', 'cp /tmp/app/hello.txt /tmp/droplet; echo >/tmp/output-cache'],
    ['too large', `${GOOD}; head -c 51201 /dev/zero >/tmp/result.json`],
    ['a link to what is not its own', `${GOOD}; ln -sf /etc/hostname /tmp/result.json`],
    ['a pipe', `${GOOD}; rm /tmp/result.json; mkfifo /tmp/result.json`],
  ])(
    'a result that is %s cannot be fetched',
    async (_why, script) => {
      const { outcome } = await stage(script);
      expect(outcome).toEqual({ failed: true, reason: 'failed to fetch result', retryable: false });
    },
    60_000,
  );

  test.each([
    ['a link', 'ln -sf /etc/shadow /tmp/droplet'],
    ['below a link', 'ln -sf /etc /tmp/x; rm -f /tmp/droplet; ln -sf x/shadow /tmp/droplet'],
    ['a folder', 'mkdir /tmp/droplet'],
    ['a pipe', 'mkfifo /tmp/droplet'],
  ])(
    'a droplet that is %s is not uploaded',
    async (_why, script) => {
      const { outcome } = await stage(`echo >/tmp/output-cache; ${script}`);
      expect(outcome?.reason).toMatch(/ \(bad_request\) Fix: .* Failed to upload payload for the upload$/);
      expect(origin.uploads.map(({ path }) => path.split('/')[2])).toEqual(['build_artifacts']);
    },
    60_000,
  );

  test('of a refused upload is told', async () => {
    const guid = `task-${count + 1}`;
    origin.refuse.set(`/v1/droplet/${guid}`, 500);
    const { outcome } = await stage(GOOD);
    expect(outcome?.reason).toMatch(/: status 500 \(upload_failed\) Fix: .* Failed to upload payload for the upload$/);
    expect(bench.lines).toContainEqual('STG err Uploading failed: Failed to upload payload for the upload');
  }, 60_000);

  test('to get the lifecycle may be tried elsewhere', async () => {
    const guid = 'no-lifecycle';
    const lifecycle = { url: `${origin.url}/nothing.tgz`, sha256: 'ab'.repeat(32) };
    const { outcome } = await bench.stage(guid, stagingTask({ guid, bits, lifecycle, uploader: origin.url }));
    expect(outcome).toEqual({ failed: true, reason: 'failed to download cached artifacts', retryable: true });
    expect(await bench.left()).toEqual([]);
  }, 60_000);
});

describe('application bits', () => {
  test('with another checksum are refused', async () => {
    const { outcome } = await stage(GOOD, { bits: { ...bits, sha256: 'cd'.repeat(32) } });
    expect(outcome?.reason).toMatch(/ checksum is .* \(download_failed\) Fix: .* Downloading app package failed$/);
    expect(bench.lines).toContainEqual(
      expect.stringMatching(/^STG err .*its sha256 checksum is [0-9a-f]{64}, not cdcd/),
    );
  }, 60_000);

  test.each([
    ['that climb', [{ name: '../evil', content: 'x' }], 'archive_invalid', /invalid relative path: ..\/evil/],
    [
      'that are a bomb',
      [{ name: 'zeros', content: Buffer.alloc(40 * 2 ** 20) }],
      'archive_too_large',
      /unpacked it is larger than allowed/,
    ],
    [
      'that go through a link',
      [
        { name: 'out', content: '/tmp', mode: 0o120777 },
        { name: 'out/evil', content: 'x' },
      ],
      'archive_invalid',
      /out/,
    ],
  ])(
    '%s are refused',
    async (_why, parts, code, reason) => {
      const hostile = origin.add('hostile.zip', await zipped(parts));
      const { outcome } = await stage(GOOD, { bits: hostile, disk_mb: 32 });
      expect(outcome?.reason).toMatch(
        new RegExp(`^\\(${code}\\) Fix: .* Copying app package into the container failed: `),
      );
      expect(outcome?.reason).toMatch(reason);
      expect(bench.lines).toContainEqual(expect.stringContaining(` (${code})`));
      expect(bench.lines).toContainEqual(expect.stringMatching(/^STG err fix: /));
    },
    60_000,
  );
});

test('image layers do as well, and what many share is fetched once and cannot be written', async () => {
  const lifecycle = origin.add(
    'shared.tgz',
    await scriptLifecycle(
      `${GOOD}; touch /tmp/lifecycle/x 2>/dev/null && exit 9; cat /tmp/buildpacks/0123/builder >/dev/null`,
    ),
  );
  const buildpack = {
    ...origin.add('bp.zip', await zipped([{ name: 'builder', content: 'x' }])),
    key: 'bp',
    path: '/tmp/buildpacks/0123',
  };
  for (const guid of ['layers-1', 'layers-2']) {
    const options = {
      guid,
      bits,
      lifecycle,
      buildpacks: [buildpack],
      uploader: origin.url,
      layers: guid === 'layers-1',
    };
    const { outcome } = await bench.stage(guid, stagingTask(options));
    expect(outcome).toMatchObject({ failed: false, reason: '' });
  }
  expect(bench.lines.filter((line) => /bp/.test(line))).toEqual([
    ...['STG out Downloading bp...', expect.stringContaining('STG out Downloaded bp (')],
    ...['STG out Downloading bp...', expect.stringContaining('STG out Downloaded bp (')],
  ]);
  expect([origin.asked.get('/shared.tgz'), origin.asked.get('/bp.zip')]).toEqual([1, 1]);
}, 60_000);

test('bits and a build cache that did not change are fetched once', async () => {
  const unchanged = origin.add('unchanged.zip', await zipped([{ name: 'hello.txt', content: 'unchanged' }]));
  const cache = origin.add('unchanged.cache', await scriptLifecycle('a build cache'));
  const script = `[ -e /tmp/cache/builder ] && ${GOOD}`;
  for (let turn = 0; turn < 2; turn++) {
    const { guid, outcome } = await stage(script, { bits: unchanged, cache });
    expect(outcome).toMatchObject({ failed: false });
    const droplet = origin.uploads.find(({ path }) => path.startsWith(`/v1/droplet/${guid}?`));
    expect(droplet?.bytes.toString()).toBe('unchanged');
  }
  expect([origin.asked.get('/unchanged.zip'), origin.asked.get('/unchanged.cache')]).toEqual([1, 1]);
}, 60_000);

test('cancelled in the middle, it ends at once and leaves nothing', async () => {
  const guid = 'cancelled';
  const lifecycle = origin.add(`${guid}.tgz`, await scriptLifecycle('echo busy; sleep 600 & sleep 600'));
  bench.start(guid, stagingTask({ guid, bits, lifecycle, uploader: origin.url }));
  await bench.cell.until(guid, is('running'));
  const busy = () => bench.lines.includes('STG out busy');
  while (!busy()) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(bench.cell.containers.room().available.memory_mb).toBeLessThan(
    bench.cell.containers.room().total.memory_mb - 1024,
  );
  bench.cell.containers.stop(guid);
  const ended = await bench.cell.until(guid, is('completed'));
  expect(ended?.outcome).toEqual({ failed: true, reason: 'cancelled', retryable: false });
  expect(await bench.left()).toEqual([]);
  await bench.cell.containers.delete(guid);
  expect(bench.cell.containers.get(guid)).toBeUndefined();
}, 60_000);

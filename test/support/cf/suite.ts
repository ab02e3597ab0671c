/** Runs a suite of Cloud Foundry's own, which drives the real `cf`, against a platform. */
import { execa } from 'execa';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readReport, type Spec } from '../ginkgo.js';
import { peer } from '../peers.js';

export interface SuiteOptions {
  /** The peer: a compiled test binary. */
  program: string;
  /** Where its sources lie, with the applications it pushes. Written to only in a view of its own. */
  folder: string;
  /** What `$CONFIG` names. */
  config: object;
  name_server: string;
  /** Regular expressions over a spec's full text: only these, and never those. */
  focus?: readonly string[];
  skip?: readonly string[];
  timeout_ms: number;
}

/** In a mount namespace: a name server of its own, and a folder whose changes go with it. */
const INSIDE = [
  'mount --bind "$1/resolv.conf" /etc/resolv.conf',
  'mount -t tmpfs none "$1/view"',
  'mkdir "$1/view/upper" "$1/view/work"',
  'mount -t overlay -o "lowerdir=$2,upperdir=$1/view/upper,workdir=$1/view/work" none "$2"',
  'cd "$2"',
  'shift 2',
  'exec setpriv --pdeathsig SIGKILL -- "$@"',
].join(' && ');

/** All its specs in order; those that ran and those it skipped. Needs root. Throws when the suite gave no report. */
export async function runSuite(options: SuiteOptions): Promise<Spec[]> {
  const dir = await mkdtemp(join(tmpdir(), 'unik-suite-'));
  try {
    await Promise.all(['bin', 'view', 'artifacts'].map((name) => mkdir(join(dir, name))));
    await symlink(peer('cf'), join(dir, 'bin/cf'));
    await writeFile(join(dir, 'resolv.conf'), `nameserver ${options.name_server}\n`);
    await writeFile(
      join(dir, 'config.json'),
      JSON.stringify({ ...options.config, artifacts_directory: join(dir, 'artifacts') }),
    );
    const { timeout_ms, focus = [], skip = [] } = options;
    const report = join(dir, 'report.json');
    const args = [
      '-ginkgo.no-color',
      `-ginkgo.json-report=${report}`,
      `-ginkgo.timeout=${timeout_ms}ms`,
      `-test.timeout=${timeout_ms + 60_000}ms`,
      ...focus.map((text) => `-ginkgo.focus=${text}`),
      ...skip.map((text) => `-ginkgo.skip=${text}`),
    ];
    const done = await execa(
      'unshare',
      ['--mount', 'sh', '-c', INSIDE, 'sh', dir, options.folder, peer(options.program), ...args],
      {
        env: {
          ...{ CONFIG: join(dir, 'config.json'), PATH: `${join(dir, 'bin')}:${process.env['PATH'] ?? ''}` },
          // It compiles an application of its own: with what lies beside it, and nothing else.
          ...{ GOFLAGS: '-mod=vendor', GOPROXY: 'off' },
        },
        ...{ all: true, reject: false, timeout: timeout_ms + 90_000 },
      },
    );
    return readReport(
      await readFile(report, 'utf8').catch(() => {
        throw new Error(`${options.program} gave no report:\n${done.all.slice(-4_096)}`);
      }),
    );
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

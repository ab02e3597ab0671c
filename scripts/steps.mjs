/** Runs named steps one after another, keeps count, and prints the plain closing line. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { root } from './setup.mjs';

/** More is no accident. */
const SECOND_TRIES = 4;

export class Tally {
  passed = 0;
  failed = 0;
  skipped = 0;
  /** What failed, a line each: told once more at the end, where it is found. */
  #failures = [];
  #notes = [];

  #fail(what) {
    this.failed++;
    this.#failures.push(`failed: ${what}`);
  }

  /** A tool that passes or fails as a whole: one test. */
  async tool(name, file, args) {
    const started = Date.now();
    const { code, output } = await capture(file, args);
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    if (code === 0) {
      this.passed++;
      console.log(`ok   ${name} (${seconds} s)`);
    } else {
      this.#fail(name);
      console.log(`FAIL ${name} (${seconds} s)\n${output.trimEnd()}`);
    }
  }

  /**
   * jest over the given folders of test/. Its own lines go to the terminal as they come. With UNIK_SECOND_TRY, as in CI
   * where the neighbours of a shared machine may starve a test, a few files that failed are run once more, alone; what
   * passes then is counted as passed and named all the same.
   */
  async jest(name, folders, extra = []) {
    console.log(`---- ${name}`);
    const { code, result } = await runJest(
      folders.map((folder) => `test/${folder}/`),
      extra,
    );
    if (!result) {
      this.#fail(`${name}: jest gave no report (exit ${code})`);
      return;
    }
    this.passed += result.numPassedTests;
    this.skipped += result.numPendingTests;
    const failures = failuresOf(result);
    const files = [...new Set(failures.map(({ file }) => file))];
    const again = process.env.UNIK_SECOND_TRY && files.length <= SECOND_TRIES ? await secondTry(files) : new Map();
    for (const { file, test, why } of failures) {
      const passed = again.get(file)?.filter((name) => test === undefined || name === test) ?? [];
      const what = `${[file, test].filter(Boolean).join(' › ')}: ${why}`;
      this.passed += passed.length;
      if (passed.length > 0) this.#notes.push(`passed when run again: ${what}`);
      else this.#fail(what);
    }
    if (code !== 0 && failures.length === 0) this.#fail(`${name}: jest ended with ${code}`);
  }

  close() {
    for (const line of [...this.#notes, ...this.#failures]) console.log(line);
    console.log(`${this.passed} passed, ${this.failed} failed, ${this.skipped} skipped`);
    if (this.passed === 0 && this.skipped > 0) console.log('nothing ran: the lines `skipped:` above say why');
    process.exitCode = this.failed === 0 && this.passed > 0 ? 0 : 1;
  }
}

const bin = (name) => join(root, 'node_modules/.bin', name);

/** Types, lint and format; lint takes longest, the other two run beside it. */
export async function staticChecks(tally) {
  const quick = async () => {
    await tally.tool('types', bin('tsc'), ['--noEmit', '-p', root]);
    await tally.tool('format', bin('prettier'), ['--check', '--log-level=warn', '.']);
  };
  await Promise.all([tally.tool('lint', bin('eslint'), ['.', '--max-warnings=0']), quick()]);
}

async function runJest(paths, extra) {
  const dir = mkdtempSync(join(tmpdir(), 'unik-jest-'));
  const report = join(dir, 'report.json');
  try {
    const code = await inherit(process.execPath, [
      '--experimental-vm-modules',
      '--no-warnings=ExperimentalWarning',
      join(root, 'node_modules/jest/bin/jest.js'),
      ...paths,
      '--json',
      `--outputFile=${report}`,
      '--reporters=default',
      ...extra,
    ]);
    return { code, result: readReport(report) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** By file: the tests that pass now; of a suite that cannot run there are none. */
async function secondTry(files) {
  if (files.length === 0) return new Map();
  console.log(`---- once more: ${files.join(', ')}`);
  const { result } = await runJest(files, ['--runInBand']);
  return new Map(
    (result?.testResults ?? []).map(({ name, assertionResults }) => [
      relative(root, name),
      assertionResults.filter(({ status }) => status === 'passed').map(({ fullName }) => fullName),
    ]),
  );
}

/** Each test that failed, and each suite that could not run, with briefly why. */
function failuresOf({ testResults }) {
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative(root, name);
    const tests = assertionResults.filter((test) => test.status === 'failed');
    if (tests.length === 0 && status === 'failed') return [{ file, why: brief(message) }];
    return tests.map((test) => ({ file, test: test.fullName, why: brief(test.failureMessages[0]) }));
  });
}

function brief(text = '') {
  const lines = stripVTControlCharacters(text)
    .split('\n')
    .map((line) => line.trim());
  return lines
    .filter((line) => line !== '' && !line.startsWith('●'))
    .slice(0, 3)
    .join(' ')
    .slice(0, 300);
}

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function capture(file, args) {
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(file, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', (data) => (output += data));
    child.stderr.on('data', (data) => (output += data));
    child.on('error', (err) => resolve({ code: 1, output: String(err) }));
    child.on('close', (code) => resolve({ code, output }));
  });
}

function inherit(file, args) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', () => resolve(1));
    child.on('close', resolve);
  });
}

/** Runs named steps one after another, keeps count, and prints the plain closing line. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './setup.mjs';

export class Tally {
  passed = 0;
  failed = 0;
  skipped = 0;

  /** A tool that passes or fails as a whole: one test. */
  async tool(name, file, args) {
    const started = Date.now();
    const { code, output } = await capture(file, args);
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    if (code === 0) {
      this.passed++;
      console.log(`ok   ${name} (${seconds} s)`);
    } else {
      this.failed++;
      console.log(`FAIL ${name} (${seconds} s)\n${output.trimEnd()}`);
    }
  }

  /** jest over the given folders of test/. Its own lines go to the terminal as they come. */
  async jest(name, folders, extra = []) {
    const dir = mkdtempSync(join(tmpdir(), 'unik-jest-'));
    const report = join(dir, 'report.json');
    try {
      console.log(`---- ${name}`);
      const code = await inherit(process.execPath, [
        '--experimental-vm-modules',
        '--no-warnings=ExperimentalWarning',
        join(root, 'node_modules/jest/bin/jest.js'),
        ...folders.map((folder) => `test/${folder}/`),
        '--json',
        `--outputFile=${report}`,
        '--reporters=default',
        ...extra,
      ]);
      const result = readReport(report);
      if (!result) {
        this.failed++;
        console.log(`FAIL ${name}: jest gave no report (exit ${code})`);
        return;
      }
      this.passed += result.numPassedTests;
      this.failed += result.numFailedTests + result.numRuntimeErrorTestSuites;
      this.skipped += result.numPendingTests;
      if (code !== 0 && result.numFailedTests + result.numRuntimeErrorTestSuites === 0) this.failed++;
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }

  close() {
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

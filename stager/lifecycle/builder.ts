import { join, resolve } from 'node:path';
import { messageOf, UnikError } from '../../core/errors.js';
import { leaveNote } from '../failure-note.js';
import { buildDroplet } from './build-droplet.js';
import { EXIT, StepFailed } from './exit.js';
import { parseFlags } from './flags.js';

const BOOLEANS = ['skipDetect', 'skipCertVerify'] as const;
/** With the defaults of Diego's builder. */
const TEXTS = {
  buildpackOrder: '',
  buildDir: '/tmp/app',
  outputDroplet: '/tmp/droplet',
  outputMetadata: '/tmp/result.json',
  outputBuildArtifactsCache: '/tmp/output-cache',
  buildpacksDir: '/tmp/buildpacks',
  buildpacksDownloadDir: '/tmp/buildpackdownloads',
  buildArtifactsCacheDir: '/tmp/cache',
  // Where a platform keeps credentials; staging here reads none.
  credhubConnectAttempts: '',
  credhubRetryDelay: '',
};

/** `builder FLAGS`, with the flags, exit statuses and results of Diego's buildpack lifecycle. */
async function main(): Promise<void> {
  const { booleans, texts } = parseFlags(process.argv.slice(2), { booleans: BOOLEANS, texts: TEXTS });
  const cancel = new AbortController();
  process.once('SIGTERM', () => cancel.abort(new StepFailed('staging was cancelled', 1)));
  await buildDroplet({
    order: texts.buildpackOrder,
    skipDetect: booleans.skipDetect,
    skipCertVerify: booleans.skipCertVerify,
    buildDir: resolve(texts.buildDir),
    outputDroplet: resolve(texts.outputDroplet),
    outputMetadata: resolve(texts.outputMetadata),
    outputCache: resolve(texts.outputBuildArtifactsCache),
    cacheDir: resolve(texts.buildArtifactsCacheDir),
    buildpacksDir: resolve(texts.buildpacksDir),
    downloadsDir: resolve(texts.buildpacksDownloadDir),
    // This file is lib/builder.mjs of the unpacked lifecycle.
    ownDir: join(import.meta.dirname, '../buildpack'),
    env: process.env,
    say: (line) => process.stdout.write(`${line}\n`),
    signal: cancel.signal,
  });
}

try {
  await main();
} catch (err) {
  const known = err instanceof UnikError ? `${messageOf(err)} (${err.code})\nfix: ${err.hint}` : messageOf(err);
  process.stderr.write(`${known}\n`);
  const none = err instanceof StepFailed && err.status === EXIT.detect;
  const why = none ? new UnikError('no_app_detected', err.message) : err;
  // What a buildpack leaves about its own failure stays.
  if (why instanceof UnikError) await leaveNote(process.env, why);
  // Without the statuses below Cloud Controller shows only that staging failed.
  const missing = err instanceof UnikError && err.code === 'buildpack_missing' ? EXIT.compile : 1;
  process.exitCode = err instanceof StepFailed ? err.status : missing;
}

import { rm } from 'node:fs/promises';
import { messageOf, UnikError } from '../../core/errors.js';
import { run } from '../../core/process.js';
import { which } from '../../core/which.js';
import { parseAddress } from '../actions/url.js';

export interface CloneOptions {
  env: NodeJS.ProcessEnv;
  skipCertVerify: boolean;
  signal?: AbortSignal | undefined;
}

const CLONE_MS = 300_000;

/** A buildpack that is named by a URL and is no zip file lies in a git repository, as for Diego's builder. */
export function isGitUrl(key: string): boolean {
  return /^(https?|git):\/\//.test(key) && !new URL(key).pathname.endsWith('.zip');
}

/**
 * Clones what a URL names, with submodules, into a new folder: `#BRANCH` or `#TAG`, else what the server has checked
 * out. The newest commit alone where the server can give that. User and password reach neither a command line nor a
 * message. Throws buildpack_missing.
 */
export async function cloneBuildpack(key: string, into: string, options: CloneOptions): Promise<void> {
  const { env, signal } = options;
  const git = which('git', env['PATH'] ?? '');
  if (git === undefined) {
    throw new UnikError('buildpack_missing', 'git is not installed here: zip the buildpack and name the .zip file');
  }
  const branch = decodeURIComponent(new URL(key).hash.slice(1));
  if (branch.startsWith('-')) throw new UnikError('buildpack_missing', `${branch} is no name of a branch`);
  const { url, shown, authorization } = addressOf(key);
  const clone = async (depth: readonly string[]): Promise<void> => {
    await rm(into, { recursive: true, force: true });
    const from = branch === '' ? [] : ['--branch', branch];
    await run(git, ['clone', '--quiet', ...depth, '--recursive', ...from, '--', url, into], {
      env: gitEnv(env, options.skipCertVerify, url, authorization),
      timeout_ms: CLONE_MS,
      code: 'buildpack_missing',
      signal,
    });
  };
  try {
    // A server of plain files has no such thing as a shallow clone.
    await clone(['--depth', '1']).catch(() => clone([]));
  } catch (err) {
    signal?.throwIfAborted();
    const words = messageOf(err).split('\n').slice(1).join('\n').replaceAll(url, shown);
    const what = branch === '' ? shown : `${shown}, branch ${branch},`;
    throw new UnikError('buildpack_missing', `${what} could not be cloned\n${words}`.trim(), { cause: err });
  }
}

function addressOf(key: string): { url: string; shown: string; authorization?: string } {
  if (!key.startsWith('git://')) {
    const { url, ...rest } = parseAddress(key, 'buildpack_missing');
    return { url: url.href, ...rest };
  }
  const url = new URL(key);
  url.hash = '';
  return { url: url.href, shown: url.href };
}

/** Nobody is asked anything, and only these ways are gone. */
function gitEnv(
  env: NodeJS.ProcessEnv,
  skipCertVerify: boolean,
  url: string,
  authorization: string | undefined,
): NodeJS.ProcessEnv {
  const header =
    authorization === undefined
      ? {}
      : {
          GIT_CONFIG_COUNT: '1',
          GIT_CONFIG_KEY_0: `http.${new URL(url).origin}/.extraHeader`,
          GIT_CONFIG_VALUE_0: `Authorization: ${authorization}`,
        };
  return {
    ...env,
    ...header,
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: 'true',
    GIT_ALLOW_PROTOCOL: 'http:https:git',
    ...(skipCertVerify ? { GIT_SSL_NO_VERIFY: '1' } : {}),
  };
}

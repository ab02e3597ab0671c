import { UnikError } from '../../core/errors.js';
import { Cloud } from './cloud.js';
import type { CliService } from './rpc.js';
import { transport, type Ask } from './transport.js';

/** What is targeted, who asks, and how to reach it. */
export interface Session {
  api: string;
  token: string;
  user: string;
  org: string;
  space: { guid: string; name: string };
  cloud: Cloud;
  ask: Ask;
  close: () => Promise<void>;
}

/** Throws target_missing, and what the CLI's service throws. */
export async function openSession(cli: CliService, env: NodeJS.ProcessEnv): Promise<Session> {
  if (!(await cli.flag('HasAPIEndpoint'))) throw missing('No API endpoint set. Use `cf api` or `cf login`.');
  if (!(await cli.flag('IsLoggedIn'))) throw missing('Not logged in. Use `cf login` or `cf login --sso`.');
  if (!(await cli.flag('HasSpace'))) throw missing('No space targeted. Use `cf target -s SPACE`.');
  const api = (await cli.text('ApiEndpoint')).replace(/\/+$/, '');
  const token = await cli.text('AccessToken');
  const { ask, close } = transport({ skipTlsChecks: await cli.flag('IsSSLDisabled'), env });
  return {
    api,
    token,
    user: await cli.text('Username'),
    org: (await cli.target('Organization')).name,
    space: await cli.target('Space'),
    cloud: new Cloud(ask, { api, token }),
    ask,
    close,
  };
}

const missing = (what: string): UnikError => new UnikError('target_missing', what);

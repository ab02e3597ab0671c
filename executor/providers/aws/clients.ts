import { EBSClient } from '@aws-sdk/client-ebs';
import { EC2Client, type EC2ClientConfig } from '@aws-sdk/client-ec2';
import { readCredentials } from '../../remote/credentials-file.js';
import { awsCredentialsSchema, type AwsConfig } from './config.js';

export interface AwsClients {
  /** Starting and ending; slowed down by itself where EC2 says that we ask too much. */
  control: EC2Client;
  /** Consoles: many small questions, which must not slow down the others. */
  console: EC2Client;
  blocks: EBSClient;
  close(): void;
}

/** One client for each family of calls: the send rate of one adapts to what throttles it alone. */
export function makeClients(config: AwsConfig): AwsClients {
  const common: Pick<EC2ClientConfig, 'region' | 'endpoint' | 'requestHandler' | 'credentials'> = {
    region: config.region,
    ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint }),
    // The SDK waits for ever by itself.
    requestHandler: { connectionTimeout: 5_000, requestTimeout: 30_000 },
    ...(config.credentials_file === undefined ? {} : { credentials: fromFile(config.credentials_file) }),
  };
  const control = new EC2Client({ ...common, retryMode: 'adaptive', maxAttempts: 8 });
  const console = new EC2Client({ ...common, maxAttempts: 2 });
  const blocks = new EBSClient({ ...common, maxAttempts: 6 });
  return {
    ...{ control, console, blocks },
    close: () => {
      for (const client of [control, console, blocks]) client.destroy();
    },
  };
}

/** Read again whenever the SDK asks, so that a new key needs no restart. */
function fromFile(path: string) {
  return async () => {
    const read = await readCredentials(path, awsCredentialsSchema, 'access_key_id or secret_access_key');
    const { access_key_id, secret_access_key, session_token } = read;
    return {
      accessKeyId: access_key_id,
      secretAccessKey: secret_access_key,
      ...(session_token === undefined ? {} : { sessionToken: session_token }),
      // Long enough for a call, short enough for a new key.
      expiration: new Date(Date.now() + 10 * 60_000),
    };
  };
}

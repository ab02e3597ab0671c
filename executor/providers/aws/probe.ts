import {
  DescribeAccountAttributesCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSnapshotsCommand,
  DescribeSubnetsCommand,
  DescribeVolumesCommand,
  RegisterImageCommand,
  RunInstancesCommand,
  type EC2Client,
} from '@aws-sdk/client-ec2';
import type { Finding, Probe } from '../provider.js';
import type { AwsClients } from './clients.js';
import type { AwsConfig } from './config.js';
import { awsError, nameOf } from './errors.js';

/** What `unik doctor` says of EC2: reached, let in, allowed, and how much. */
export async function probeAws({ control }: AwsClients, config: AwsConfig, signal: AbortSignal): Promise<Probe> {
  const findings: Finding[] = [];
  const reach = await ask('reach and credentials', () =>
    control.send(new DescribeInstancesCommand({ MaxResults: 5 }), { abortSignal: signal }),
  );
  findings.push(reach);
  if (reach.status === 'ok') {
    findings.push(
      ...(await Promise.all([
        right('ec2:DescribeImages', () => control.send(new DescribeImagesCommand({ Owners: ['self'], MaxResults: 5 }))),
        right('ec2:DescribeSnapshots', () =>
          control.send(new DescribeSnapshotsCommand({ OwnerIds: ['self'], MaxResults: 5 })),
        ),
        right('ec2:DescribeVolumes', () => control.send(new DescribeVolumesCommand({ MaxResults: 5 }))),
        right('ec2:RunInstances', () => tryRun(control, config)),
        right('ec2:RegisterImage', () => control.send(new RegisterImageCommand({ DryRun: true, Name: 'unik-probe' }))),
        ask(`subnet ${config.subnet_id}`, () =>
          control.send(new DescribeSubnetsCommand({ SubnetIds: [config.subnet_id] })),
        ),
        ask('security groups', () =>
          control.send(new DescribeSecurityGroupsCommand({ GroupIds: config.security_group_ids })),
        ),
        quota(control),
      ])),
    );
  }
  const healthy = findings.every(({ status }) => status !== 'error');
  return { healthy, summary: healthy ? `EC2 in ${config.region}` : `EC2 in ${config.region} cannot be used`, findings };
}

async function ask(what: string, call: () => Promise<unknown>): Promise<Finding> {
  try {
    await call();
    return { name: `aws ${what}`, status: 'ok', detail: 'ok' };
  } catch (err) {
    return { name: `aws ${what}`, status: 'error', detail: awsError(err, what).message, fix: fixFor(nameOf(err)) };
  }
}

/** Asked with `DryRun`, a call that would be allowed fails as well, in its own way. */
async function right(action: string, call: () => Promise<unknown>): Promise<Finding> {
  const finding = await ask(`right ${action}`, () =>
    call().catch((err: unknown) => {
      if (nameOf(err) !== 'DryRunOperation') throw err;
    }),
  );
  return finding.status === 'ok'
    ? finding
    : { ...finding, fix: `unik provider policy aws: attach it, ${action} is missing` };
}

function tryRun(control: EC2Client, config: AwsConfig): Promise<unknown> {
  return control
    .send(
      new RunInstancesCommand({
        ...{ DryRun: true, MinCount: 1, MaxCount: 1, ImageId: 'ami-00000000000000000', SubnetId: config.subnet_id },
      }),
    )
    .catch((err: unknown) => {
      // Rights are judged before the image is looked for.
      if (!nameOf(err).startsWith('InvalidAMIID')) throw err;
    });
}

async function quota(control: EC2Client): Promise<Finding> {
  const name = 'aws quota';
  try {
    const { AccountAttributes = [] } = await control.send(new DescribeAccountAttributesCommand({}));
    // Not among the names the SDK knows, and yet answered.
    const limit = AccountAttributes.find(({ AttributeName }) => String(AttributeName) === 'max-instances');
    const most = limit?.AttributeValues?.[0]?.AttributeValue;
    return { name, status: 'ok', detail: most === undefined ? 'the account names none' : `at most ${most} instances` };
  } catch (err) {
    const fix = 'unik provider policy aws: attach it, ec2:DescribeAccountAttributes is missing';
    return { name, status: 'warning', detail: awsError(err, 'DescribeAccountAttributes').message, fix };
  }
}

function fixFor(name: string): string {
  if (/Expired/.test(name)) return 'Get new credentials: they have expired.';
  if (/AuthFailure|InvalidClientTokenId|Signature|Credentials|Unrecognized/.test(name)) {
    return 'Put valid credentials into credentials_file, or into the environment of the cell.';
  }
  if (/NotFound/.test(name)) return 'Correct the id in the configuration.';
  if (/Unauthorized|AccessDenied/.test(name)) return 'unik provider policy aws: attach it to the user or role.';
  return 'Check region, endpoint and the way to them from this host.';
}

import { TAGS } from './tags.js';

/** The least that a cell needs, as an IAM policy; what ends or deletes only where our tag stands. */
export function awsPolicy(owner: string): Record<string, unknown> {
  const ours = { StringEquals: { [`aws:ResourceTag/${TAGS.owner}`]: owner } };
  const asked = { StringEquals: { [`aws:RequestTag/${TAGS.owner}`]: owner } };
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'Look',
        Effect: 'Allow',
        Action: ['AccountAttributes', 'Images', 'Instances', 'SecurityGroups', 'Snapshots', 'Subnets', 'Volumes'].map(
          (what) => `ec2:Describe${what}`,
        ),
        Resource: '*',
      },
      {
        Sid: 'Upload',
        Effect: 'Allow',
        Action: ['ebs:StartSnapshot', 'ebs:PutSnapshotBlock', 'ebs:CompleteSnapshot'],
        Resource: 'arn:aws:ec2:*::snapshot/*',
      },
      { Sid: 'Image', Effect: 'Allow', Action: ['ec2:RegisterImage'], Resource: '*' },
      {
        Sid: 'Run',
        Effect: 'Allow',
        Action: ['ec2:RunInstances'],
        Resource: '*',
      },
      {
        Sid: 'TagWhatIsMade',
        Effect: 'Allow',
        Action: ['ec2:CreateTags'],
        Resource: '*',
        Condition: asked,
      },
      {
        Sid: 'EndWhatIsOurs',
        Effect: 'Allow',
        Action: [
          ...['ec2:TerminateInstances', 'ec2:GetConsoleOutput'],
          ...['ec2:DeregisterImage', 'ec2:DeleteSnapshot', 'ec2:DeleteVolume'],
        ],
        Resource: '*',
        Condition: ours,
      },
    ],
  };
}

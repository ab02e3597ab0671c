import { expect, test } from '@jest/globals';
import { missingPeers, peer, type PeerTable } from '../../support/peers.js';
import { readReport } from '../../support/ginkgo.js';

const TABLE: PeerTable = { bbs: { path: '/opt/bbs' }, cf: { why: 'not offered' } };

test('a peer is its path, or an error that says why there is none', () => {
  expect(peer('bbs', TABLE)).toBe('/opt/bbs');
  expect(() => peer('cf', TABLE)).toThrow('peer cf: not offered');
  expect(() => peer('bosh', TABLE)).toThrow('node scripts/peers.mjs');
});

test('what is missing is told by name and reason, what is there is not', () => {
  expect(missingPeers(['bbs'], TABLE)).toEqual([]);
  expect(missingPeers(['bbs', 'cf', 'bosh'], TABLE)).toEqual([
    'peer cf: not offered',
    expect.stringMatching(/^peer bosh: not looked for yet/),
  ]);
});

test('a report of the acceptance suite becomes its specs: interrupted is failed, a failed set-up is a spec too', () => {
  const spec = (LeafNodeType: string, LeafNodeText: string, State: string, more: object = {}): object => ({
    ContainerHierarchyTexts: LeafNodeText === '' ? null : ['Tasks', 'when cancelled'],
    LeafNodeType,
    LeafNodeText,
    State,
    RunTime: 1_500_000_000,
    ...more,
  });
  const report = [
    {
      SpecReports: [
        spec('BeforeSuite', '', 'passed'),
        spec('It', 'fails', 'failed', { Failure: { Message: 'no such task' } }),
        spec('It', 'ends', 'passed'),
        spec('It', 'waits', 'skipped'),
        spec('It', 'hangs', 'interrupted'),
        spec('AfterSuite', '', 'panicked'),
      ],
    },
  ];
  expect(readReport(JSON.stringify(report))).toEqual([
    { name: 'Tasks when cancelled fails', state: 'failed', seconds: 1.5, why: 'no such task' },
    { name: 'Tasks when cancelled ends', state: 'passed', seconds: 1.5 },
    { name: 'Tasks when cancelled waits', state: 'skipped', seconds: 1.5 },
    { name: 'Tasks when cancelled hangs', state: 'failed', seconds: 1.5 },
    { name: 'AfterSuite', state: 'failed', seconds: 1.5 },
  ]);
});

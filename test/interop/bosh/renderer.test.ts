/** The table of property sets through BOSH's own renderer, and its files compared with those of ours byte for byte. */
import { describe, expect, test } from '@jest/globals';
import { parseCellConfig } from '../../../backend/cell/config.js';
import { renderByBosh } from '../../support/bosh/erb.js';
import {
  CELLS,
  EMITTER,
  OTHERS,
  REFUSED_BY_CELL,
  REFUSED_BY_TEMPLATE,
  required,
  tableJobs,
  type Properties,
} from '../../support/bosh/table.js';
import { jobSpec, nested, render } from '../../support/bosh/templates.js';
import { describePeer } from '../../support/peers.js';

/** What BOSH renders of a job, once it is seen that ours is the same. */
function files(job: string, flat: Properties = {}): Record<string, string> {
  const properties = nested({ ...required(job), ...flat });
  const theirs = renderByBosh(job, properties);
  expect(theirs).toEqual(render(job, properties));
  if ('error' in theirs) throw new Error(theirs.error);
  return theirs.files;
}

const refusal = (job: string, properties: Properties): string => {
  const theirs = renderByBosh(job, nested(properties));
  return 'error' in theirs ? theirs.error : `rendered ${Object.keys(theirs.files).join(' ')}`;
};
const cell = (flat: Properties): unknown => JSON.parse(files('unik-cell', flat)['config/cell.json'] ?? '');

describePeer("BOSH's own renderer", ['bosh-erb'], () => {
  describe.each(tableJobs())('%s', (job) => {
    test('with what it requires, the same bytes as by ours', () => {
      expect(Object.keys(files(job)).sort()).toEqual(Object.values(jobSpec(job).templates).sort());
    }, 120_000);

    const names = Object.keys(required(job));
    if (names.length > 0)
      test.each(names)(
        'without %s it fails with that name',
        (name) => {
          const rest = Object.fromEntries(Object.entries(required(job)).filter(([key]) => key !== name));
          expect(refusal(job, rest)).toContain(`Can't find property '${name}'`);
        },
        120_000,
      );
  });

  test.each(OTHERS)(
    '%s with %j',
    (job, properties) => {
      expect(Object.keys(files(job, properties)).length).toBeGreaterThan(0);
    },
    120_000,
  );

  test.each(CELLS)(
    'unik-cell with %s: what the cell accepts',
    (_, properties, holds) => {
      const config = cell(properties);
      expect(config).toMatchObject(holds);
      expect(() => parseCellConfig(config, 'cell.json')).not.toThrow();
    },
    120_000,
  );

  test.each(REFUSED_BY_TEMPLATE)(
    'unik-cell with %j: refused by the template',
    (properties, why) => {
      expect(refusal('unik-cell', { ...required('unik-cell'), ...properties })).toMatch(why);
    },
    120_000,
  );

  test.each(REFUSED_BY_CELL)(
    'unik-cell with %j: rendered, and refused by the cell',
    (properties, why) => {
      expect(() => parseCellConfig(cell(properties), 'cell.json')).toThrow(why);
    },
    120_000,
  );

  // Of the director alone: the command line deploys one VM.
  test('has no links, and says so of the builtin emitter', () => {
    expect(refusal('unik-cell', { ...required('unik-cell'), ...EMITTER })).toMatch(/undefined method `?'?link/);
  }, 120_000);
});

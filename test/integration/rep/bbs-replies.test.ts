/** A cell whose BBS answers garbage: nothing breaks, nothing is lost, and it catches up. */
import { expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decode, type MessageName } from '../../../backend/wire/codec.js';
import { UnikError } from '../../../core/errors.js';
import { anLrp } from '../../support/cell/samples.js';
import { flush, makeCell } from '../../support/cell/reconciler.js';
import { root } from '../../support/unik.js';

test.each(['actual-lrps-by-cell', 'desired-lrp-get-r3', 'tasks-list-by-cell'])(
  '%s cut at every byte: read as less, or refused with a code',
  async (name) => {
    const file = await readFile(join(root, 'test/fixtures/diego/bbs', `${name}.json`), 'utf8');
    const { response_hex, response_message } = JSON.parse(file) as { response_hex: string; response_message: string };
    const bytes = Buffer.from(response_hex, 'hex');
    let refused = 0;
    for (let length = 0; length < bytes.length; length++) {
      try {
        decode(`models.${response_message}` as MessageName, bytes.subarray(0, length));
      } catch (err) {
        expect(err).toMatchObject({ code: 'bad_reply' });
        expect(err).toBeInstanceOf(UnikError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(bytes.length / 2);
  },
);

test('a cell whose every answer is cut keeps what it has and goes on when they are whole again', async () => {
  const { bbs, containers, clock, make } = makeCell();
  const reconciler = make();
  reconciler.start();
  bbs.desire('proc-1', 0);
  bbs.fault = () => {
    throw new UnikError('bad_reply', '7 bytes are not a message');
  };
  containers.reserve(anLrp());
  await clock.turn(40_000);
  expect(containers.get('inst-1')?.state).toBe('reserved');
  bbs.fault = () => undefined;
  await clock.turn(5_000);
  await flush();
  expect(containers.get('inst-1')?.state).toBe('initializing');
  expect(bbs.rows.get('proc-1/0')).toMatchObject({ state: 'CLAIMED', instance_guid: 'inst-1' });
  await reconciler.close();
});

import {expect, test} from 'vitest';
import {TimeBase} from '../../src/base/time.js';
import type {Charge, Said} from '../../src/claims/claim.js';
import {Ledger} from '../../src/ledger/ledger.js';
import type {Listener} from '../../src/ledger/listener.js';
import {Pending} from '../../src/proof/pending.js';
import type {Moment} from '../../src/ledger/moment.js';
import {guarded} from '../../src/rules/guarded.js';

const SAID: Said = {
  rule: 'long-pin',
  severity: 'note',
  pfn: 1,
  order: 0,
  premises: [],
  start: 5,
  end: 5,
  deed: '',
  args: {},
  tasks: [],
  stacks: [],
  device: -1,
  evidence: [],
  countsBefore: null,
  countsAfter: null,
};

test('a rule that throws ends, is told of once, and takes nothing down with it', () => {
  const heard: string[] = [];
  const judge: Listener = {
    lifeEnded(row, t, freed) {
      heard.push(`${row} ${t} ${freed}`);
      if (row === 2) throw new Error('no such row');
    },
    ended() {
      heard.push('ended');
    },
  };
  const failures: unknown[] = [];
  const safe = guarded(judge, (error) => failures.push(error));
  safe.lifeEnded!(1, 5, true);
  safe.lifeEnded!(2, 6, false);
  safe.lifeEnded!(3, 7, true);
  safe.ended!(8);
  expect(heard).toEqual(['1 5 true', '2 6 false']);
  expect(failures).toEqual([new Error('no such row')]);
  expect(Object.keys(safe)).toEqual(['lifeEnded', 'ended']);
});

test('a rule that throws when it is asked what it claims loses that claim alone', () => {
  const told: string[] = [];
  const pending = new Pending(new Ledger(new TimeBase()), (claim) => told.push(claim.deed));
  const failures: unknown[] = [];
  const charge = (says: Charge['says']): Charge => ({page: {row: 0, generation: -1} as Moment, at: 5, says});
  const failed = (error: unknown, at: number): void => void failures.push([error, at]);
  pending.add(
    charge(() => {
      throw new Error('nothing to say');
    }),
    failed,
  );
  pending.add(
    charge(() => ({...SAID, deed: 'the other'})),
    failed,
  );
  pending.settle();
  expect(told).toEqual(['the other']);
  expect(failures).toEqual([[new Error('nothing to say'), 5]]);
});

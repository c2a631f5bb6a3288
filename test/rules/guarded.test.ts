import {expect, test} from 'vitest';
import type {Listener} from '../../src/ledger/listener.js';
import {guarded} from '../../src/rules/guarded.js';

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

import {expect, it} from 'vitest';
import {placed} from '../../src/words/place.js';

it('points to records of a recording, to one and to several', () => {
  const why = 'lines 3 and 5 are on two CPUs, and line 7 has no task';
  expect(placed(why, 'record')).toBe('records 3 and 5 are on two CPUs, and record 7 has no task');
  expect(placed(why, 'line')).toBe(why);
});

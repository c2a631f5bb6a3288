import {expect, test} from 'vitest';
import {unitOf} from '../../parsers/prefix/unit.js';

const loop = (times: readonly number[]) => times.map((t) => ({t, cpu: 0, tid: 7, name: 'kprobe:gup_put_folio'}));

test('steps of a loop over pages tell ns from us', () => {
  expect(unitOf(loop([0, 850, 1720, 2590, 3400, 4300, 5200, 6000, 6900, 7800]))?.unit).toBe('ns');
  expect(unitOf(loop([0, 1, 2, 2, 3, 4, 5, 6, 6, 7, 8]))?.unit).toBe('us');
});

test('a clock whose ticks are longer than the steps tells no unit: most steps take none of it', () => {
  expect(unitOf(loop([0, 0, 0, 10_000, 10_000, 10_000, 20_000, 20_000, 30_000, 30_000, 30_000]))).toBeUndefined();
});

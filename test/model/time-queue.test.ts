import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {TimeQueue} from '../../src/order/time-queue.js';

describe('rows in order of time', () => {
  it('come out as a stable sort has them, however they came in', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({t: fc.integer({min: 0, max: 40}), pops: fc.integer({min: 0, max: 2})})),
        (steps) => {
          const queue = new TimeQueue();
          let waiting: {row: number; t: number}[] = [];
          const take = () => {
            waiting = waiting.toSorted((a, b) => a.t - b.t || a.row - b.row);
            expect(queue.earliest()).toBe(waiting[0]!.t);
            expect(queue.pop()).toBe(waiting.shift()!.row);
          };
          steps.forEach(({t, pops}, row) => {
            queue.push(row, t);
            waiting.push({row, t});
            for (let i = 0; i < pops && waiting.length > 0; i++) take();
            expect(queue.length).toBe(waiting.length);
          });
          while (waiting.length > 0) take();
          expect(queue.earliest()).toBe(Infinity);
        },
      ),
    );
  });

  it('hold many that came in order and many that came late', () => {
    const queue = new TimeQueue();
    for (let i = 0; i < 5000; i++) queue.push(i, i % 2 === 0 ? i : 5000 - i);
    let last = -Infinity;
    for (let i = 0; i < 5000; i++) {
      expect(queue.earliest()).toBeGreaterThanOrEqual(last);
      last = queue.earliest();
      queue.pop();
    }
    expect(queue.length).toBe(0);
  });
});

import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {Piece} from '../../parsers/records/piece.js';
import {Rounds} from '../../parsers/perf-data/queue.js';

/** The times in the order in which they are delivered, `most` at a time; `undefined` in `told` ends a round. */
function delivered(told: readonly (number | undefined)[], most: number): number[] {
  const out: number[] = [];
  const rounds = new Rounds({deliver: (_piece, _at, _size, t) => out.push(t)});
  const piece = new Piece(true, 8);
  const drain = (): void => {
    while (rounds.delivering) rounds.deliver(most);
  };
  for (const t of told) {
    if (t === undefined) rounds.round();
    else rounds.add(piece, 0, 8, t, undefined);
    // some time later, or when the next one comes
    if ((t ?? 0) % 2 === 0) drain();
  }
  rounds.release(Infinity);
  drain();
  return out;
}

describe('records of a perf.data', () => {
  const told = fc.array(fc.option(fc.nat(50), {nil: undefined}), {maxLength: 60});

  it('are delivered in the same order a few at a time, and each once', () => {
    fc.assert(
      fc.property(told, fc.integer({min: 1, max: 5}), (list, most) => {
        const times = list.filter((t) => t !== undefined);
        const some = delivered(list, most);
        expect(some).toEqual(delivered(list, Infinity));
        expect(some.toSorted((a, b) => a - b)).toEqual(times.toSorted((a, b) => a - b));
      }),
    );
  });

  it('of two rounds are put into order', () => {
    expect(delivered([4, 6, undefined, 1, 5, undefined, 8, undefined], 1)).toEqual([1, 4, 5, 6, 8]);
  });
});

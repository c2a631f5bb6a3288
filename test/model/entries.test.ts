import {describe, expect, it} from 'vitest';
import {Entries, What} from '../../src/ledger/tables/entries.js';
import {Life} from '../../src/ledger/tables/life.js';

/** Writes entries of lines `from` to `to`, each at the time of its line. */
function write(entries: Entries, life: Life, from: number, to: number): void {
  for (let line = from; line <= to; line++) {
    const id = entries.add(life, What.change);
    entries.t[id] = entries.line[id] = line;
  }
}

function lines(entries: Entries, ids: Iterable<number>): number[] {
  return [...ids].map((id) => entries.line[id]!);
}

const NONE = (): boolean => false;

describe('the entries of a life', () => {
  it('are the first 12 and the last 36 of one that merely matters', () => {
    const entries = new Entries();
    const life = new Life(1, undefined);
    write(entries, life, 1, 100);
    const kept = lines(entries, entries.of(life));
    expect(kept).toEqual([...Array(12).keys(), ...[...Array(36).keys()].map((i) => i + 64)].map((i) => i + 1));
    expect(life.added).toBe(100);
    expect(entries.used).toBe(48);
  });

  it('are all of one that is followed', () => {
    const entries = new Entries();
    const followed = {born: 'alloc', died: null, end: NaN, order: 0, orderKnown: false} as const;
    const life = new Life(1, {...followed});
    write(entries, life, 1, 100);
    expect(lines(entries, entries.of(life))).toHaveLength(100);
  });

  it('are given back with it', () => {
    const entries = new Entries();
    for (let i = 0; i < 1000; i++) {
      const life = new Life(i, undefined);
      write(entries, life, 1, 60);
      entries.end(life);
    }
    expect(entries.used).toBe(0);
    // so the columns did not grow
    expect(entries.line).toHaveLength(new Entries().line.length);
  });

  it('stay while a finding holds them, about its moment, and those that follow it', () => {
    const entries = new Entries();
    const life = new Life(1, undefined);
    write(entries, life, 1, 50);
    const held = entries.hold(life, 50, 7, 4, (id) => entries.line[id] === 3);
    write(entries, life, 51, 200);
    expect(lines(entries, held.ids)).toEqual([3, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54]);
    entries.end(life);
    expect(lines(entries, held.ids)).toEqual([3, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54]);
    entries.release(held);
    expect(entries.used).toBe(0);
  });

  it('about a moment that is past are those around it', () => {
    const entries = new Entries();
    const life = new Life(1, undefined);
    write(entries, life, 1, 40);
    const held = entries.hold(life, 20, 3, 2, NONE);
    expect(lines(entries, held.ids)).toEqual([18, 19, 20, 21, 22]);
    entries.release(held);
    expect(entries.used).toBe(40);
  });

  it('are known again by their line, for an id may come to be of another', () => {
    const entries = new Entries();
    const life = new Life(1, undefined);
    write(entries, life, 1, 13);
    const thirteenth = life.last;
    expect(entries.is(thirteenth, 0, 13)).toBe(true);
    write(entries, life, 14, 49);
    expect(entries.is(thirteenth, 0, 13)).toBe(false);
  });
});

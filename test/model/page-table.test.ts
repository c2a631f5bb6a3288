import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {PageState, PageTable, UNKNOWN_COUNT} from '../../src/ledger/tables/page-table.js';

/** PFNs as machines have them: dense runs, sparse ones, and those of memory beyond 16 TiB. */
const pfn = fc.oneof(
  fc.integer({min: 0, max: 300}),
  fc.integer({min: 0, max: 2 ** 32}),
  fc.integer({min: 2 ** 32, max: 2 ** 40}),
);

describe('PageTable', () => {
  it('finds what a Map finds', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(pfn, fc.boolean()), {maxLength: 400}), (steps) => {
        const table = new PageTable();
        const rows = new Map<number, number>();
        for (const [place, make] of steps) {
          if (make) {
            const row = table.row(place, 7);
            expect(row).toBe(rows.get(place) ?? rows.size);
            rows.set(place, row);
          } else expect(table.find(place)).toBe(rows.get(place) ?? -1);
        }
        expect(table.size).toBe(rows.size);
      }),
    );
  });

  it('keeps every column of every row when it grows', () => {
    const table = new PageTable();
    const n = 40_000; // twice past the first capacity
    for (let i = 0; i < n; i++) {
      const row = table.row(i * 3, i);
      table.count[row] = i;
      table.pins[row] = i % 7;
      table.migratetype[row] = i % 5;
      table.state[row] = PageState.lifeSeen;
    }
    for (let i = 0; i < n; i++) {
      const row = table.find(i * 3);
      expect([
        row,
        table.pfn[row],
        table.since[row],
        table.count[row],
        table.pins[row],
        table.migratetype[row],
      ]).toEqual([i, i * 3, i, i, i % 7, i % 5]);
      expect(table.find(i * 3 + 1)).toBe(-1);
    }
  });

  it('knows nothing of a new row', () => {
    const table = new PageTable();
    const row = table.row(0x2fb0, 5);
    expect(table.count[row]).toBe(UNKNOWN_COUNT);
    expect(table.mapcount[row]).toBe(UNKNOWN_COUNT);
    expect(table.migratetype[row]).toBe(-1);
    expect(table.references[row]).toBeUndefined();
    expect(table.state[row]).toBe(0);
  });

  describe('finds the head of a folio', () => {
    it('from every page of it, and from no other', () => {
      fc.assert(
        fc.property(fc.integer({min: 1, max: 9}), fc.integer({min: 0, max: 2 ** 24}), (order, block) => {
          const table = new PageTable();
          const size = 2 ** order;
          const head = block * size;
          const row = table.row(head, 0);
          table.setLarge(row, order, true);
          for (const inside of [head, head + 1, head + size - 1]) expect(table.findFolio(inside)).toBe(row);
          for (const outside of [head - 1, head + size]) expect(table.findFolio(outside)).toBe(-1);
        }),
      );
    });

    it('although the tail has a row of its own', () => {
      const table = new PageTable();
      const tail = table.row(0x603, 0);
      expect(table.findFolio(0x603)).toBe(tail);
      const head = table.row(0x600, 0);
      table.setLarge(head, 9, true);
      expect(table.findFolio(0x603)).toBe(head);
      expect(table.folioOf(tail)).toBe(head);
    });

    it('only as long as the folio lives', () => {
      const table = new PageTable();
      const head = table.row(0x600, 0);
      table.setLarge(head, 9, true);
      table.state[head]! |= PageState.free;
      expect(table.findFolio(0x603)).toBe(-1);
    });

    it('by an order that is learnt piece by piece', () => {
      const table = new PageTable();
      const head = table.row(0x600, 0);
      table.setLarge(head, 1, false); // PG_head seen
      expect(table.findFolio(0x603)).toBe(-1);
      table.setLarge(head, 2, false); // a probe named page 3 of it
      expect(table.findFolio(0x603)).toBe(head);
      table.setLarge(head, 1, false);
      expect(table.findFolio(0x603)).toBe(head);
    });
  });

  it('carries nothing from one page of a PFN to the next', () => {
    const table = new PageTable();
    const row = table.row(0x2fb0, 5);
    table.pins[row] = 3;
    table.count[row] = 3073;
    table.state[row] = PageState.dirty | PageState.large;
    table.reset(row, 9);
    expect([table.pins[row], table.count[row], table.state[row], table.since[row]]).toEqual([0, UNKNOWN_COUNT, 0, 9]);
  });
});

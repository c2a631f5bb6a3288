/** Which pages of which reference a drop of several pages of a folio is of. */
import {expect, it} from 'vitest';
import {PageTable} from '../../src/ledger/tables/page-table.js';
import {Reference} from '../../src/ledger/tables/references.js';
import {Tasks} from '../../src/ledger/tables/tasks.js';
import type {Evidence} from '../../src/ledger/tables/evidence.js';
import {Limits} from '../../src/base/limits.js';
import {chooseReferences} from '../../src/ledger/trackers/pairing.js';

it('each loses the pages that the drop covers of it and no other loses', () => {
  const pages = new PageTable();
  const row = pages.row(0x10000, 0);
  const pin = (sub: number, t: number): Reference => new Reference('pin', 7, 'probe', row, sub, t, 0, -1, 0, 0, 1, '');
  const [older, newer] = [pin(0x10111, 1), pin(0x10113, 2)];
  newer.next = older;
  pages.references[row] = newer;
  const evidence = {tasks: new Tasks(new Limits())} as unknown as Evidence;
  const {from, unmatched} = chooseReferences({pages, evidence}, row, 'pin', 7, undefined, 0x10113);
  expect(from.map(({reference, n, first}) => [reference.sub, first, n])).toEqual([
    [0x10111, 0x10113, 5],
    [0x10113, 0x10118, 2],
  ]);
  expect(unmatched).toBe(0);
});

/** page_ref:*, for the slow reader. */
import {EventKind, PageFlag, PageName, type TraceEvent} from '../../../src/events/event.js';
import {Key} from '../../events/keys.js';
import {type Field, last, number, signed, wide} from './values.js';

const E = EventKind;
const PAGE_REF = new Map<string, EventKind>([
  ['page_ref_set', E.RefSet],
  ['page_ref_mod', E.RefMod],
  ['page_ref_mod_and_test', E.RefModAndTest],
  ['page_ref_mod_and_return', E.RefModAndReturn],
  ['page_ref_mod_unless', E.RefModUnless],
  ['page_ref_freeze', E.RefFreeze],
  ['page_ref_unfreeze', E.RefUnfreeze],
]);

export function isPageRef(name: string): boolean {
  return PAGE_REF.has(name);
}

/** Reads a page_ref event; answers `since612`, which such an event may show. */
export function readPageRef(
  name: string,
  line: string,
  fields: readonly Field[],
  ev: TraceEvent,
  since612: boolean,
): boolean {
  const mapcount = last(fields, Key.mapcount);
  if (mapcount && signed(mapcount.value) === -1) since612 = true;
  if (!last(fields, Key.pfn)) return since612;
  ev.begin(PAGE_REF.get(name)!);
  pageRef(line, fields, ev, since612);
  return since612;
}

const FLAGS_612 =
  'locked writeback referenced uptodate dirty lru head waiters active workingset - - - reserved private - reclaim swapbacked unevictable'.split(
    ' ',
  );

function flagBit(name: string): number {
  return name !== 'unknownLayout' && Object.hasOwn(PageFlag, name) ? PageFlag[name as keyof typeof PageFlag] : 0;
}

function pageRef(line: string, fields: readonly Field[], ev: TraceEvent, since612: boolean): void {
  ev.pfn = number(last(fields, Key.pfn)!.value);
  if (ev.pfn < 0) ev.kind = E.Other;
  ev.pageName = PageName.pfn;
  const flags = last(fields, Key.flags);
  if (flags) {
    const raw = line.slice(flags.stop).startsWith(' (');
    let others = false;
    for (const name of flags.value.split('|')) {
      if (/^0[xX][0-9a-fA-F]/.test(name)) {
        if (others || !raw) continue;
        if (!since612) ev.pageFlags |= PageFlag.unknownLayout;
        else FLAGS_612.forEach((flag, bit) => (ev.pageFlags |= (wide(name) >> BigInt(bit)) & 1n ? flagBit(flag) : 0));
      } else {
        if (name !== 'locked') others = true;
        ev.pageFlags |= flagBit(name);
      }
    }
  }
  const count = last(fields, Key.count);
  if (count) [ev.count, ev.hasCount] = [signed(count.value), 1];
  const mapcount = last(fields, Key.mapcount);
  if (mapcount) [ev.mapcount, ev.hasMapcount] = [signed(mapcount.value), 1];
  const mt = last(fields, Key.mt);
  if (mt) ev.mt = signed(mt.value);
  const val = last(fields, Key.val);
  if (val) ev.val = signed(val.value);
  const ret = last(fields, Key.ret);
  if (ret) [ev.ret, ev.hasRet] = [signed(ret.value), 1];
}

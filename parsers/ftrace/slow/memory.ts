/** kmem:*, filemap:*, vmscan:*, for the slow reader. */
import {EventKind, PageName, type TraceEvent} from '../../../src/events/event.js';
import {Key} from '../../events/keys.js';
import {type Field, fieldsOf, high, last, low, num, number, signed} from './values.js';

const E = EventKind;
const PAGE = new Map<string, EventKind>([
  ['mm_page_alloc', E.PageAlloc],
  ['mm_page_free', E.PageFree],
  ['mm_page_free_batched', E.PageFreeBatched],
  ['mm_vmscan_write_folio', E.VmscanWrite],
  ['mm_vmscan_writepage', E.VmscanWrite],
]);
const CACHE = new Map<string, EventKind>([
  ['mm_filemap_add_to_page_cache', E.CacheAdd],
  ['mm_filemap_delete_from_page_cache', E.CacheDelete],
]);

/** Reads an event that names a page frame; false where `name` is none. */
export function readMemory(name: string, line: string, pos: number, fields: readonly Field[], ev: TraceEvent): boolean {
  const ofPage = PAGE.get(name);
  const ofCache = CACHE.get(name);
  if (ofPage !== undefined) page(ofPage, fields, ev);
  else if (ofCache !== undefined) cache(ofCache, line, pos, ev);
  return ofPage !== undefined || ofCache !== undefined;
}

function page(kind: EventKind, fields: readonly Field[], ev: TraceEvent): void {
  ev.begin(kind);
  ev.pfn = num(fields, Key.pfn, -1);
  if (ev.pfn <= 0) ev.begin(E.Other);
  if (ev.kind === E.Other) return;
  ev.pageName = PageName.pfn;
  ev.order = num(fields, Key.order, -1);
  const mt = last(fields, Key.mt);
  if (mt) ev.mt = signed(mt.value);
  rawPage(last(fields, Key.page), ev);
}

function cache(kind: EventKind, line: string, pos: number, ev: TraceEvent): void {
  ev.begin(kind);
  let from = pos;
  const device = /^dev (\d+)[:,](\d+)(?= |:|$)/.exec(line.slice(pos));
  ev.devId = device ? Number(device[1]) * 2 ** 20 + Number(device[2]) : -1;
  const named = /^dev \d*[^]?\d* *(ino (?:0[xX](?=[0-9a-fA-F]))?([0-9a-fA-F]*))?/.exec(line.slice(pos));
  if (named) {
    from += named[0].length;
    if (named[2]) ev.ino = number(named[2], true);
    const next = line[from];
    if (named[1] !== undefined && (named[2] === '' || (next !== undefined && next !== ' '))) ev.devId = -1;
  }
  const rest = fieldsOf(line, from);
  ev.pfn = number(last(rest, Key.pfn)?.value ?? '-1');
  if (ev.pfn < 0) {
    ev.begin(E.Other);
    return;
  }
  ev.pageName = PageName.pfn;
  ev.order = number(last(rest, Key.order)?.value ?? '-1');
  ev.ofs = number(last(rest, Key.ofs)?.value ?? '-1');
  ev.index = number(last(rest, Key.index)?.value ?? '-1');
  const ino = last(rest, Key.ino);
  if (ino) ev.ino = number(ino.value, true);
  const sDev = last(rest, Key.sDev);
  if (sDev) ev.devId = number(sDev.value);
  rawPage(last(rest, Key.page), ev);
}

function rawPage(field: Field | undefined, ev: TraceEvent): void {
  if (!field || !/^[0-9a-fA-F]{16}$/.test(field.value)) return;
  const v = BigInt(`0x${field.value}`);
  if (v >= 1n << 63n) [ev.ptrHi, ev.ptrLo] = [high(v), low(v)];
}

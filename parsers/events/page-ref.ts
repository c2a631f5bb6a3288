/**
 * page_ref:* (include/trace/events/page_ref.h, CONFIG_DEBUG_PAGE_REF), the same text from 4.9 to 7.2:
 *
 *     page_ref_mod: pfn=0x2f28 flags=uptodate|owner_2|swapbacked count=2 mapcount=0 mapping=0000000080e8c0cc mt=1 val=1
 *     page_ref_mod_and_test: pfn=0x602c flags=none count=0 mapcount=-1 mapping=          (null) mt=0 val=-1 ret=1
 *     page_ref_set: pfn=0x26b3 (9907) flags=0x100000000000000 (72057594037927936) count=0x1 (1) ...   fields option
 *     page_ref_mod: pfn=0x5b20 flags=locked|0x828 count=6 mapcount=3 mapping=0xffff888003909418 ...    trace-cmd
 */

import {PageName, type EventKind, type TraceEvent} from '../../src/events/event.js';
import {ascii, hasHexPrefix, LPAREN, sameBytes, SPACE} from '../bytes.js';
import type {DecodeContext} from './context.js';
import {Key} from './keys.js';
import {pageFlags} from './page-flags.js';

export function decodePageRef(
  kind: EventKind,
  buf: Uint8Array,
  start: number,
  end: number,
  ev: TraceEvent,
  ctx: DecodeContext,
): void {
  const fields = ctx.fields;
  ev.kind = kind;
  ev.pageName = PageName.none;
  ev.pfn = -1;
  ev.ptrHi = ev.ptrLo = 0;
  ev.pageFlags = 0;
  ev.count = ev.hasCount = 0;
  ev.mapcount = ev.hasMapcount = 0;
  ev.mappingHi = ev.mappingLo = ev.hasMapping = 0;
  ev.mt = -1;
  ev.val = ev.ret = ev.hasRet = 0;
  let flagsStart = -1;
  let flagsStop = -1;
  fields.open(buf, start, end);
  while (fields.next()) {
    switch (fields.key) {
      case Key.pfn:
        ev.pfn = fields.number();
        ev.pageName = PageName.pfn;
        break;
      case Key.flags:
        flagsStart = fields.start;
        flagsStop = fields.stop;
        break;
      case Key.count:
        ev.count = fields.signed();
        ev.hasCount = 1;
        break;
      case Key.mapcount:
        ev.mapcount = fields.signed();
        ev.hasMapcount = 1;
        break;
      case Key.mapping:
        mapping(ev, ctx);
        break;
      case Key.mt:
        ev.mt = fields.signed();
        break;
      case Key.val:
        ev.val = fields.signed();
        break;
      case Key.ret:
        ev.ret = fields.signed();
        ev.hasRet = 1;
        break;
    }
  }
  if (ev.hasMapcount && ev.mapcount === -1) ctx.since612 = true;
  if (flagsStart >= 0) {
    // `flags=0x100000000000008 (72057594037927944)`: raw bits of the fields option
    const raw = flagsStop + 1 < end && buf[flagsStop] === SPACE && buf[flagsStop + 1] === LPAREN;
    ev.pageFlags = pageFlags(buf, flagsStart, flagsStop, ctx.printer, raw, ctx.since612);
  }
  if (ev.pfn < 0) ev.kind = 0;
}

/** `mapping=` hashed, raw, null in its many spellings, or `(____ptrval____)` before the kernel can hash: not told. */
function mapping(ev: TraceEvent, ctx: DecodeContext): void {
  const {fields} = ctx;
  const {buf, start, stop} = fields;
  // nothing: the blanks before `(null)` of kernels before 5.2; `(nil)` is libtraceevent's
  if (start === stop || sameBytes(buf, start, stop, NIL) || sameBytes(buf, start, stop, NULL)) {
    ev.hasMapping = 1;
  } else if (hasHexPrefix(buf, start, stop) || fields.isBarePointer()) {
    ev.mappingHi = fields.pointerHigh();
    ev.mappingLo = fields.pointerLow();
    ev.hasMapping = 1;
  }
}

const NIL = ascii('nil');
const NULL = ascii('null');

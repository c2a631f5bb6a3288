/**
 * page_ref:* (include/trace/events/page_ref.h, CONFIG_DEBUG_PAGE_REF), the same text from 4.9 to 7.2:
 *
 *     page_ref_mod: pfn=0x2f28 flags=uptodate|owner_2|swapbacked count=2 mapcount=0 mapping=0000000080e8c0cc mt=1 val=1
 *     page_ref_mod_and_test: pfn=0x602c flags=none count=0 mapcount=-1 mapping=          (null) mt=0 val=-1 ret=1
 *     page_ref_set: pfn=0x26b3 (9907) flags=0x100000000000000 (72057594037927936) count=0x1 (1) ...   fields option
 *     page_ref_mod: pfn=0x5b20 flags=locked|0x828 count=6 mapcount=3 mapping=0xffff888003909418 ...    trace-cmd
 */

import {EventKind, type TraceEvent} from '../../src/events/event.js';
import {LPAREN, SPACE} from '../bytes.js';
import type {DecodeContext} from './context.js';
import {readFields, readingsOf} from './family.js';
import {pageFlags} from './page-flags.js';

const READINGS = readingsOf('pageRef');

export function decodePageRef(
  kind: EventKind,
  buf: Uint8Array,
  start: number,
  end: number,
  ev: TraceEvent,
  ctx: DecodeContext,
): void {
  ev.begin(kind);
  ctx.fields.open(buf, start, end);
  readFields(READINGS, ev, ctx, undefined);
  if (ev.hasMapcount === 1 && ev.mapcount === -1) ctx.seen612();
  if (ctx.flagsStart >= 0) {
    const {flagsStart, flagsStop} = ctx;
    // `flags=0x100000000000008 (72057594037927944)`: raw bits of the fields option
    const raw = flagsStop + 1 < end && buf[flagsStop] === SPACE && buf[flagsStop + 1] === LPAREN;
    ev.pageFlags = pageFlags(buf, flagsStart, flagsStop, ctx.printer, raw, ctx.layout);
  }
  if (ev.pfn < 0) ev.kind = EventKind.Other;
}

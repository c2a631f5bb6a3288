/**
 * From the event name a bpftrace program prints to its decoder. A program names its events itself; read are the names of
 * tracepoints and of probed functions, with or without the probe's provider before them (`kprobe:unpin_user_page` is what
 * the builtin `probe` prints), and these, for which the two meanings are told apart by the keys:
 *
 *     dma_map_page dev=0000:00:03.0 dir=2 dma_addr=0x5f2c000 phys=0x5f2c000 size=4096     tracepoint:dma:dma_map_page, 6.12
 *     dma_map_page dev=0000:00:03.0 pfn=0x5f2c off=0 size=4096 dir=2                      kprobe:dma_map_page_attrs, 6.1
 *     dma_map_page_ret dma_addr=0x5f2c000                                                 its kretprobe
 *     dma_map_sg dev=0000:00:03.0 dir=2 nents=3                                           the tracepoint, without its lists
 *     dma_map_sg nents=3 first_pfn=0x5f2c len=4096 dir=2                                  kprobe:dma_map_sg_attrs
 *     dma_map_sg_ent dev=pinbug.0 i=0/1 pfn=0xe154 off=0 len=24576 dir=0                  one entry of its list a line
 */

import {PFN_LIMIT} from '../../src/events/believable.js';
import {EventKind, PageName, type TraceEvent} from '../../src/events/event.js';
import {decimal, find, SLASH, SPACE} from '../bytes.js';
import {decodeProbe} from '../events/probe.js';
import {probeOfSymbol, type ProbeSpec} from '../events/probe-table.js';
import {type EventEntry, type EventTable, mention} from '../events/table.js';

/** How the payload of an event name is read. */
export interface Payload {
  readonly read: 'nothing' | 'tracepoint' | 'probe' | 'item';
  /** of a probe: the function */
  readonly spec?: ProbeSpec;
  readonly isReturn?: boolean;
  /** read as a probe only if the payload names a page itself; else as the tracepoint of the same name */
  readonly ifPage?: boolean;
  /** of an item */
  readonly kind?: EventKind;
}

const NOTHING: Payload = {read: 'nothing'};
const TRACEPOINT: Payload = {read: 'tracepoint'};

const SHORT_NAMES = new Map<string, Payload>([
  ['dma_map_page', {read: 'probe', spec: probeOfSymbol('dma_map_page_attrs'), ifPage: true}],
  ['dma_map_page_ret', {read: 'probe', spec: probeOfSymbol('dma_map_page_attrs'), isReturn: true}],
  ['dma_map_sg', {read: 'probe', spec: probeOfSymbol('dma_map_sg_attrs'), ifPage: true}],
  ['dma_map_sg_ret', {read: 'probe', spec: probeOfSymbol('dma_map_sg_attrs'), isReturn: true}],
  ['dma_unmap_sg', {read: 'probe', spec: probeOfSymbol('dma_unmap_sg_attrs'), ifPage: true}],
  ['dma_map_sg_ent', {read: 'item', kind: EventKind.DmaMapSgItem}],
  ['dma_unmap_sg_ent', {read: 'item', kind: EventKind.DmaUnmapSgItem}],
]);

const RETURN_PROVIDER = /^(?:kretprobe|kretfunc|fexit|kr|fr):/;
const RETURN_MARK = /(?:_ret|_return|_exit)$/;

/** How the payload of events of that name is read. */
export function payloadOf(entry: EventEntry): Payload {
  const {name} = entry;
  const bare = name.slice(name.lastIndexOf(':') + 1);
  const short = SHORT_NAMES.get(bare);
  if (short) return short;
  if (entry.kind !== EventKind.Other) return TRACEPOINT;
  const spec = entry.probeByName;
  if (!spec) return NOTHING;
  const isReturn = RETURN_PROVIDER.test(name) || (probeOfSymbol(bare) === undefined && RETURN_MARK.test(bare));
  return {read: 'probe', spec, isReturn};
}

/** Decodes a payload into `ev`: sets `ev.kind` and the fields of that kind. */
export function decodePayload(
  table: EventTable,
  entry: EventEntry,
  payload: Payload,
  buf: Uint8Array,
  start: number,
  end: number,
  ev: TraceEvent,
): void {
  let {read} = payload;
  if (read === 'probe' && payload.ifPage && !namesPage(buf, start, end)) read = 'tracepoint';
  switch (read) {
    case 'nothing':
      mention(table.context, buf, start, end, ev);
      return;
    case 'tracepoint':
      // decoders of events that name no page leave these as they were
      ev.pageName = PageName.none;
      ev.pfn = -1;
      table.decode(entry, buf, start, end, ev);
      break;
    case 'probe':
      decodeProbe(payload.spec!, payload.isReturn ?? false, buf, start, end, ev, table.context);
      if (ev.kind === EventKind.DmaMapSgEntry || ev.kind === EventKind.DmaUnmapSgEntry) firstOfList(ev);
      break;
    case 'item':
      // the keys of an item are those of the probe
      decodeProbe(MAP_PAGE, false, buf, start, end, ev, table.context);
      item(payload.kind!, buf, start, end, ev);
      break;
  }
  if (ev.pageName === PageName.pfn && !(ev.pfn < PFN_LIMIT)) {
    ev.pageName = PageName.none;
    ev.pfn = -1;
    ev.listLength = 0;
  }
}

const MAP_PAGE = probeOfSymbol('dma_map_page_attrs')!;
const encoder = new TextEncoder();
const PFN = encoder.encode('pfn=');
const PAGE = encoder.encode('page=');
const AT = encoder.encode(' i=');

function namesPage(buf: Uint8Array, start: number, end: number): boolean {
  return find(buf, start, end, PFN) >= 0 || find(buf, start, end, PAGE) >= 0;
}

/** `nents=3 first_pfn=0x5f2c len=4096`: the first of `nents` entries is all that is known. */
function firstOfList(ev: TraceEvent): void {
  if (ev.listLength > 0 || ev.pageName === PageName.none) return;
  ev.listName = ev.pageName;
  ev.listPfn[0] = ev.pfn;
  ev.listPtrHi[0] = ev.ptrHi;
  // the two low bits of a scatterlist's page link are chain and end marks
  ev.listPtrLo[0] = (ev.ptrLo & ~3) >>> 0;
  ev.listOffset[0] = ev.pageOffset;
  ev.listLen[0] = ev.size > 0 ? ev.size : -1;
  ev.listLength = 1;
  ev.truncated = ev.nr === 1 && ev.size > 0 ? 0 : 1;
}

/** `i=0/1`: position and length of the list */
function item(kind: EventKind, buf: Uint8Array, start: number, end: number, ev: TraceEvent): void {
  ev.kind = ev.pageName === PageName.none ? EventKind.Other : kind;
  ev.itemIndex = ev.nr = 0;
  const at = find(buf, start, end, AT);
  if (at < 0) return;
  let pos = at + AT.length;
  ev.itemIndex = decimal(buf, pos, end);
  while (pos < end && buf[pos] !== SPACE && buf[pos - 1] !== SLASH) pos++;
  if (buf[pos - 1] === SLASH) ev.nr = decimal(buf, pos, end);
}

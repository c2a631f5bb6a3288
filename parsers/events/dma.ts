/**
 * dma:* (include/trace/events/dma.h, 6.12 on) and iommu:map, iommu:unmap, iommu:io_page_fault.
 *
 *     dma_map_page: pinbug.0 dir=BIDIRECTIONAL dma_addr=2fb0000 size=4096 phys_addr=2fb0000 attrs=        6.12
 *     dma_map_phys: 0000:00:04.0 dir=FROM_DEVICE dma_addr=12da00000 size=4096 phys_addr=12da00000 attrs=  6.18
 *     dma_map_phys: 0000:00:04.0 dir=TO_DEVICE dma_addr=fe000000 size=4096 phys_addr=fe000000 attrs=MMIO  no RAM
 *     dma_unmap_page: pinbug.0 dir=BIDIRECTIONAL dma_addr=2fb0000 size=4096 attrs=
 *     dma_map_sg: pinbug.0 dir=BIDIRECTIONAL nents=2/2 ents=2/2 dma_addrs={0x2f7c000,0x2fb0000} sizes={0x1000,0x1000}
 *         phys_addrs={0x2f7c000,0x2fb0000} attrs=                       (` [TRUNCATED]` after ents= over 128 entries)
 *     dma_map_sg: [FAILED TO PARSE] device=pinbug.0 full_nents=1 full_ents=1 truncated=0
 *         phys_addrs=ARRAY[00, a0, d9, 02, 00, 00, 00, 00] dma_addrs=ARRAY[..] lengths=ARRAY[00, 10, 00, 00] dir=0
 *     dma_unmap_sg: pinbug.0 dir=BIDIRECTIONAL phys_addrs={0x2f7c000,0x2fb0000} attrs=
 *     map: IOMMU: iova=0x00000000fffff000 - 0x0000000100000000 paddr=0x000000012da00000 size=4096         5.17 on
 *     unmap: IOMMU: iova=0x0000000000000000 size=4096 unmapped_size=4096                                  to 5.15
 *     swiotlb_bounced: dev_name: 0000:00:04.0 dma_mask=ffffffff dev_addr=12da00000 size=4096 NORMAL
 *     io_page_fault: IOMMU:[nvme] 0000:05:00.0 iova=0x0000000091482640 flags=0x0001
 *         driver ^^^^^^ (may be empty)    device ^^^^^^^^^^^^                  ^ 1: a write
 */

import {EventKind, type TraceEvent} from '../../src/events/event.js';
import {ascii, EQUALS, find, LBRACKET, SPACE, skipSpaces, startsWith} from '../bytes.js';
import type {DecodeContext} from './context.js';
import {readFields, readingsOf} from './family.js';

const DMA = readingsOf('dma');
const IOMMU = readingsOf('iommu');
const FAULT = readingsOf('fault');
const BOUNCED = readingsOf('bounced');
const DEV_NAME = ascii('dev_name:');
const IOMMU_COLON = ascii('IOMMU:');
const TRUNCATED = new TextEncoder().encode('[TRUNCATED]');

export function decodeDma(
  kind: EventKind,
  buf: Uint8Array,
  start: number,
  end: number,
  ev: TraceEvent,
  ctx: DecodeContext,
): void {
  ev.begin(kind);
  const pos = device(ev, buf, start, end);
  ctx.fields.open(buf, pos, end);
  readFields(DMA, ev, ctx, undefined);
  // device memory has no pages: as dma_map_resource() before 6.18, it is nothing to the ledger
  if (ctx.deviceMemory && (kind === EventKind.DmaMap || kind === EventKind.DmaUnmap)) {
    ev.begin(EventKind.Other);
    return;
  }
  finishLists(kind, ev, ctx.sizes, kind === EventKind.DmaMapSg && isCut(buf, pos, end));
}

/** Whether the kernel says in `[start, end)` that it left out the end of a list. */
export function isCut(buf: Uint8Array, start: number, end: number): boolean {
  return find(buf, start, end, TRUNCATED) >= 0;
}

/** Puts the lists of a mapping together. `sizes`: how many lengths were printed, -1 for none. */
export function finishLists(kind: number, ev: TraceEvent, sizes: number, isCutShort: boolean): void {
  if (sizes < 0) for (let i = 0; i < ev.dmaLength; i++) ev.dmaLens[i] = -1;
  // an address without a length is none that can be used
  if (sizes >= 0 && sizes < ev.dmaLength) ev.dmaLength = sizes;
  if (kind === EventKind.DmaMapSg) {
    if (isCutShort || ev.nr > ev.listLength) ev.truncated = 1;
    // Lengths are of the mapped side; they are those of the physical side too where nothing was merged.
    const same = ev.dmaLength === ev.listLength;
    for (let i = 0; i < ev.listLength; i++) ev.listLen[i] = same ? ev.dmaLens[i]! : -1;
  } else for (let i = 0; i < ev.listLength; i++) ev.listLen[i] = -1;
}

/** The device's name, first word of the kernel's text. Answers where the fields begin. */
function device(ev: TraceEvent, buf: Uint8Array, start: number, end: number): number {
  const pos = skipSpaces(buf, start, end);
  let stop = pos;
  while (stop < end && buf[stop] !== SPACE && buf[stop] !== EQUALS) stop++;
  if (pos === stop || buf[stop] === EQUALS || buf[pos] === LBRACKET) {
    ev.deviceStart = ev.deviceEnd = 0;
    return pos;
  }
  ev.deviceStart = pos;
  ev.deviceEnd = stop;
  return stop;
}

export function decodeIommu(
  kind: EventKind,
  buf: Uint8Array,
  start: number,
  end: number,
  ev: TraceEvent,
  ctx: DecodeContext,
): void {
  ev.begin(kind);
  ctx.fields.open(buf, start, end);
  readFields(IOMMU, ev, ctx, undefined);
  if (ev.size === 0 && ctx.rangeEnd > ev.dmaAddr) ev.size = ctx.rangeEnd - ev.dmaAddr;
  if (ev.dmaAddr < 0) ev.kind = EventKind.Other;
}

/** An address that an IOMMU let no device through to. */
export function decodeFault(buf: Uint8Array, start: number, end: number, ev: TraceEvent, ctx: DecodeContext): void {
  ev.begin(EventKind.IommuFault);
  let pos = skipSpaces(buf, start, end);
  if (startsWith(buf, pos, end, IOMMU_COLON)) {
    const driver = pos + IOMMU_COLON.length;
    const stop = wordEnd(buf, driver, end);
    const next = skipSpaces(buf, stop, end);
    const nextStop = wordEnd(buf, next, end);
    // one word before the first field: it is the device
    const alone = nextStop < end && buf[nextStop] === EQUALS;
    ev.deviceStart = alone ? driver : next;
    pos = ev.deviceEnd = alone ? stop : nextStop;
  }
  ctx.fields.open(buf, pos, end);
  readFields(FAULT, ev, ctx, undefined);
  if (ev.dmaAddr < 0) ev.kind = EventKind.Other;
}

/** A mapping goes through a bounce buffer: by its page's own address, before the event of the mapping itself. */
export function decodeBounced(buf: Uint8Array, start: number, end: number, ev: TraceEvent, ctx: DecodeContext): void {
  ev.begin(EventKind.Bounced);
  let pos = skipSpaces(buf, start, end);
  if (startsWith(buf, pos, end, DEV_NAME)) {
    ev.deviceStart = skipSpaces(buf, pos + DEV_NAME.length, end);
    pos = ev.deviceEnd = wordEnd(buf, ev.deviceStart, end);
  }
  ctx.fields.open(buf, pos, end);
  readFields(BOUNCED, ev, ctx, undefined);
  if (ev.dmaAddr < 0) ev.kind = EventKind.Other;
}

function wordEnd(buf: Uint8Array, start: number, end: number): number {
  let pos = start;
  while (pos < end && buf[pos] !== SPACE && buf[pos] !== EQUALS) pos++;
  return pos;
}

/**
 * dma:* (include/trace/events/dma.h, 6.12 on) and iommu:map, iommu:unmap.
 *
 *     dma_map_page: pinbug.0 dir=BIDIRECTIONAL dma_addr=2fb0000 size=4096 phys_addr=2fb0000 attrs=        6.12
 *     dma_map_phys: 0000:00:04.0 dir=FROM_DEVICE dma_addr=12da00000 size=4096 phys_addr=12da00000 attrs=  6.18
 *     dma_unmap_page: pinbug.0 dir=BIDIRECTIONAL dma_addr=2fb0000 size=4096 attrs=
 *     dma_map_sg: pinbug.0 dir=BIDIRECTIONAL nents=2/2 ents=2/2 dma_addrs={0x2f7c000,0x2fb0000} sizes={0x1000,0x1000}
 *         phys_addrs={0x2f7c000,0x2fb0000} attrs=                       (` [TRUNCATED]` after ents= over 128 entries)
 *     dma_map_sg: [FAILED TO PARSE] device=pinbug.0 full_nents=1 full_ents=1 truncated=0
 *         phys_addrs=ARRAY[00, a0, d9, 02, 00, 00, 00, 00] dma_addrs=ARRAY[..] lengths=ARRAY[00, 10, 00, 00] dir=0
 *     dma_unmap_sg: pinbug.0 dir=BIDIRECTIONAL phys_addrs={0x2f7c000,0x2fb0000} attrs=
 *     map: IOMMU: iova=0x00000000fffff000 - 0x0000000100000000 paddr=0x000000012da00000 size=4096         5.17 on
 *     unmap: IOMMU: iova=0x0000000000000000 size=4096 unmapped_size=4096                                  to 5.15
 */

import {EventKind, LIST_MAX, type TraceEvent} from '../../src/events/event.js';
import {decimal, EQUALS, find, LBRACKET, SLASH, SPACE, skipSpaces} from '../bytes.js';
import type {DecodeContext} from './context.js';
import {dmaDirection, isAllOnes} from './dma-values.js';
import {Key} from './keys.js';

const TRUNCATED = new TextEncoder().encode('[TRUNCATED]');

export function decodeDma(
  kind: EventKind,
  buf: Uint8Array,
  start: number,
  end: number,
  ev: TraceEvent,
  ctx: DecodeContext,
): void {
  const fields = ctx.fields;
  ev.kind = kind;
  ev.dir = ev.dmaAddr = ev.phys = -1;
  ev.size = ev.failed = ev.truncated = ev.nr = 0;
  ev.listLength = ev.listName = ev.dmaLength = 0;
  let sizes = -1;
  const pos = device(ev, buf, start, end);
  fields.open(buf, pos, end);
  while (fields.next()) {
    switch (fields.key) {
      case Key.device:
        ev.deviceStart = fields.start;
        ev.deviceEnd = fields.stop;
        break;
      case Key.dir:
        ev.dir = dmaDirection(buf, fields.start, fields.stop);
        break;
      case Key.dmaAddr:
      case Key.addr:
        ev.dmaAddr = fields.hexNumber();
        ev.failed = isAllOnes(buf, fields.start, fields.stop) ? 1 : 0;
        break;
      case Key.physAddr:
        ev.phys = fields.hexNumber();
        break;
      case Key.size:
        ev.size = fields.number();
        break;
      case Key.nents:
        ev.nr = totalOf(buf, fields.start, fields.stop);
        break;
      case Key.fullNents:
        ev.nr = fields.number();
        break;
      case Key.truncated:
        ev.truncated = fields.number() ? 1 : 0;
        break;
      case Key.dmaAddrs:
        // dma_map_sg_err labels its physical addresses so
        if (kind === EventKind.DmaMapSgError) physical(ev, ctx);
        else dmaSide(ev, ctx);
        break;
      case Key.sizes:
        sizes = lengths(ev, ctx);
        break;
      case Key.physAddrs:
      case Key.addrs:
        physical(ev, ctx);
        break;
    }
  }
  if (sizes < 0) for (let i = 0; i < ev.dmaLength; i++) ev.dmaLens[i] = -1;
  // an address without a length is none that can be used
  if (sizes >= 0 && sizes < ev.dmaLength) ev.dmaLength = sizes;
  if (kind === EventKind.DmaMapSg) {
    if (find(buf, pos, end, TRUNCATED) >= 0 || ev.nr > ev.listLength) ev.truncated = 1;
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

/** `nents=128/200`: printed/total */
function totalOf(buf: Uint8Array, start: number, stop: number): number {
  for (let i = start; i < stop; i++) if (buf[i] === SLASH) return decimal(buf, i + 1, stop);
  return decimal(buf, start, stop);
}

function physical(ev: TraceEvent, ctx: DecodeContext): void {
  const elements = ctx.elements;
  elements.open(ctx.fields, 8);
  let n = 0;
  while (n < LIST_MAX && elements.next()) ev.listPhys[n++] = elements.value;
  ev.listLength = n;
}

function dmaSide(ev: TraceEvent, ctx: DecodeContext): void {
  const elements = ctx.elements;
  elements.open(ctx.fields, 8);
  let n = 0;
  while (n < LIST_MAX && elements.next()) ev.dmaAddrs[n++] = elements.value;
  ev.dmaLength = n;
}

function lengths(ev: TraceEvent, ctx: DecodeContext): number {
  const elements = ctx.elements;
  elements.open(ctx.fields, 4);
  let n = 0;
  while (n < LIST_MAX && elements.next()) ev.dmaLens[n++] = elements.value;
  return n;
}

export function decodeIommu(
  kind: EventKind,
  buf: Uint8Array,
  start: number,
  end: number,
  ev: TraceEvent,
  ctx: DecodeContext,
): void {
  const fields = ctx.fields;
  ev.kind = kind;
  ev.dir = ev.dmaAddr = ev.phys = -1;
  ev.size = ev.failed = 0;
  ev.deviceStart = ev.deviceEnd = 0;
  let iovaEnd = -1;
  fields.open(buf, start, end);
  while (fields.next()) {
    switch (fields.key) {
      case Key.iova:
        ev.dmaAddr = fields.hexNumber();
        break;
      case Key.end:
        iovaEnd = fields.hexNumber();
        break;
      case Key.paddr:
        ev.phys = fields.hexNumber();
        break;
      case Key.size:
        ev.size = fields.number();
        break;
    }
  }
  if (ev.size === 0 && iovaEnd > ev.dmaAddr) ev.size = iovaEnd - ev.dmaAddr;
  if (ev.dmaAddr < 0) ev.kind = EventKind.Other;
}

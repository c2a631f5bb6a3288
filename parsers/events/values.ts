/** The values that fields of payloads have, into the row at hand. */

import {DmaDir, EventKind, LIST_MAX, PageName, type TraceEvent} from '../../src/events/event.js';
import {
  ascii,
  decimal,
  decimalHigh32,
  decimalLow32,
  DIGIT_0,
  hasHexPrefix,
  hexLow32,
  isDigit,
  number,
  PIPE,
  sameBytes,
  SLASH,
} from '../bytes.js';
import type {DecodeContext} from './context.js';
import {Key} from './keys.js';
import {ReturnShape} from './probe-table.js';

// --- DMA

/**
 * A direction by name (`FROM_DEVICE`, `DMA_TO_DEVICE`) or number (enum dma_data_direction: probes, `-R`).
 */
export function dmaDirection(buf: Uint8Array, start: number, end: number): number {
  if (start >= end) return DmaDir.unknown;
  if (isDigit(buf[start]!)) {
    const value = number(buf, start, end);
    return value <= DmaDir.none ? value : DmaDir.unknown;
  }
  // DMA_ before the name, as the enum has it
  if (end - start > 4 && buf[start] === 68 && buf[start + 3] === 95) start += 4;
  switch (buf[start]) {
    case 66: // BIDIRECTIONAL
      return DmaDir.bidirectional;
    case 84: // TO_DEVICE
      return DmaDir.toDevice;
    case 70: // FROM_DEVICE
      return DmaDir.fromDevice;
    case 78: // NONE
      return DmaDir.none;
    default:
      return DmaDir.unknown;
  }
}

/** DMA_ATTR_MMIO (include/linux/dma-mapping.h, 6.18): what dma_map_resource() was, a mapping of device memory. */
export const ATTR_MMIO = 1 << 10;
const MMIO = ascii('MMIO');

/** Whether `attrs=` says so: by name (`SKIP_CPU_SYNC|MMIO`), or as a number (`0x400`, `-R`). */
export function isDeviceMemory(buf: Uint8Array, start: number, end: number): boolean {
  let pos = start;
  while (pos < end) {
    const part = pos;
    while (pos < end && buf[pos] !== PIPE) pos++;
    if (hasHexPrefix(buf, part, pos) && (hexLow32(buf, part + 2, pos) & ATTR_MMIO) !== 0) return true;
    if (sameBytes(buf, part, pos, MMIO)) return true;
    pos++;
  }
  return false;
}

const F_LOWER = 102;

/**
 * DMA_MAPPING_ERROR, which a failed mapping prints for its address: all ones, of 64 bits or of 32 where dma_addr_t is
 * that small (no mapping of a page starts at an odd address).
 */
function isAllOnes(buf: Uint8Array, start: number, end: number): boolean {
  if (end - start > 2 && buf[start + 1] === 120) start += 2;
  const digits = end - start;
  if (digits === 20)
    return decimalHigh32(buf, start, end) === 0xffffffff && decimalLow32(buf, start, end) === 0xffffffff;
  if (digits !== 16 && digits !== 8) return false;
  for (let i = start; i < end; i++) if ((buf[i]! | 32) !== F_LOWER) return false;
  return true;
}

/** `dma_addr=`: bare digits are hexadecimal in the kernel's text, decimal in a probe's. */
export function dmaAddress(ev: TraceEvent, ctx: DecodeContext, bareHex: boolean): void {
  const {fields} = ctx;
  ev.dmaAddr = bareHex ? fields.hexNumber() : fields.number();
  ev.failed = isAllOnes(fields.buf, fields.start, fields.stop) ? 1 : 0;
}

/** `nents=128/200`: printed/total */
export function totalOf(ctx: DecodeContext): number {
  const {buf, start, stop} = ctx.fields;
  for (let i = start; i < stop; i++) if (buf[i] === SLASH) return decimal(buf, i + 1, stop);
  return decimal(buf, start, stop);
}

/** A list's numbers, `width` bytes each where it is printed as bytes. Answers how many. */
export function numbers(into: Float64Array, width: number, ctx: DecodeContext): number {
  const {elements} = ctx;
  elements.open(ctx.fields, width);
  let n = 0;
  while (n < LIST_MAX && elements.next()) into[n++] = elements.value;
  return n;
}

// --- pages

/**
 * The `page=%p` beside a pfn: only the kernel's own text (16 digits, no 0x) is a pointer. perf and trace-cmd compute it
 * from a vmemmap_base they do not know and print nonsense such as 0x773d or 0xffffffffbaddbb74.
 */
export function rawPointer(ev: TraceEvent, ctx: DecodeContext): void {
  const {fields} = ctx;
  // a hashed one begins with zeros
  if (fields.buf[fields.start] === DIGIT_0 || !fields.isBarePointer()) return;
  const hi = fields.pointerHigh();
  if (hi < 0x80000000) return;
  ev.ptrHi = hi;
  ev.ptrLo = fields.pointerLow();
}

/** Sets the page a pointer argument names. False if the value is no kernel pointer (hashed, or 0). */
export function pagePointer(ev: TraceEvent, ctx: DecodeContext, mayBeTail: number, isReturn: boolean): boolean {
  const hi = ctx.fields.pointerHigh();
  const lo = ctx.fields.pointerLow();
  const valid = isKernelPointer(hi, lo);
  if (isReturn) {
    // try_grab_folio_fast() answers the folio or NULL
    ev.hasRet = 1;
    ev.ok = valid ? 1 : 0;
  }
  if (!valid) return false;
  ev.ptrHi = hi;
  ev.ptrLo = lo;
  ev.mayBeTail = mayBeTail;
  if (ev.pageName !== PageName.pfn) ev.pageName = PageName.pointer;
  return true;
}

/** Bit 63 set, and not an error in disguise (ERR_PTR). */
export function isKernelPointer(hi: number, lo: number): boolean {
  return hi >= 0x80000000 && !(hi === 0xffffffff && lo >= 0xfffff000);
}

/** `pages={0xffffea00000bdf00,0x0,..}`: up to the first 0; trace-cmd and perf print zeros only. */
export function pageList(ev: TraceEvent, ctx: DecodeContext): void {
  const {elements} = ctx;
  elements.open(ctx.fields, 8);
  let n = 0;
  while (n < LIST_MAX && elements.next()) {
    if (elements.hi === 0 && elements.lo === 0) break;
    ev.listPtrHi[n] = elements.hi;
    ev.listPtrLo[n] = elements.lo;
    ev.listLen[n] = -1;
    n++;
  }
  ev.listLength = n;
  ev.listName = PageName.pointer;
}

/** `page1=0xfffff34f800aaf82 off1=0 len1=4096`: the two low bits of a scatterlist's page link are chain and end marks. */
export function scatterlistField(key: number, ev: TraceEvent, ctx: DecodeContext): void {
  const {fields} = ctx;
  const at = fields.index;
  if (at >= LIST_MAX) return;
  for (let i = ev.listLength; i <= at; i++) {
    ev.listPtrHi[i] = ev.listPtrLo[i] = ev.listOffset[i] = 0;
    ev.listLen[i] = -1;
  }
  if (at >= ev.listLength) ev.listLength = at + 1;
  ev.listName = PageName.pointer;
  if (key === Key.pageAt) {
    ev.listPtrHi[at] = fields.pointerHigh();
    ev.listPtrLo[at] = (fields.pointerLow() & ~3) >>> 0;
  } else if (key === Key.offAt) ev.listOffset[at] = fields.number();
  else ev.listLen[at] = fields.number();
}

/** `ret=`: a count, a negative error, a bool, a pointer, by the function. */
export function returnValue(returns: number, ev: TraceEvent, ctx: DecodeContext): void {
  const {fields} = ctx;
  ev.hasRet = 1;
  if (ev.kind === EventKind.DmaMapReturn) {
    dmaAddress(ev, ctx, false);
    return;
  }
  if (returns !== ReturnShape.plain && isKernelPointer(fields.pointerHigh(), fields.pointerLow())) {
    pagePointer(ev, ctx, 0, true);
    return;
  }
  ev.ret = fields.signed();
  worked(returns, ev, ctx, fields.isHexPrefixed());
}

/** Releases, as major * 1000 + minor, whose try_grab_folio() answers a folio, whatever was backported (mm/gup.c). */
const FOLIO_GRABS = 5017;
const FOLIO_GRABS_END = 6006;
/** A release that says little: RHEL 9 has this one, and the mm of later kernels. */
const RHEL_9 = 5014;

/** Whether a function worked, by what it returned in `ev.ret`; `unsigned`: of no signed type, so that 0 may be a NULL. */
export function worked(returns: number, ev: TraceEvent, ctx: DecodeContext, unsigned: boolean): void {
  if (ev.ret < 0) ev.ok = 0;
  else if (ev.kind !== EventKind.GrabReturn) ev.ok = 1;
  else if (returns === ReturnShape.folio) ev.ok = ev.ret === 0 ? 0 : 1;
  else if (returns === ReturnShape.folioOrErrno) {
    // `ret=0` of a signed type is the int of 6.11; `ret=0x0` may be the NULL of an older kernel. Stable kernels from 6.6.44 on
    // have the int too ("mm: gup: stop abusing try_grab_folio"), as RHEL's 5.14, where no 5.14 has the function at all.
    if (ev.ret !== 0 || ctx.since612 || !unsigned) ev.ok = 1;
    else ev.ok = ctx.kernel >= FOLIO_GRABS && ctx.kernel < FOLIO_GRABS_END ? 0 : -1;
  } else {
    // 1 is the `true` of 6.1; 0 is its `false`, or the success of 6.2 and of RHEL's 5.14
    ev.ok = ev.ret === 1 || ctx.kernel >= 6002 ? 1 : ctx.kernel === 0 || ctx.kernel === RHEL_9 ? -1 : 0;
  }
}

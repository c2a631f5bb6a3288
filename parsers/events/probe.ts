/**
 * kprobes, kretprobes, fprobes on the functions of probe-table.ts.
 *
 *     unpin_user_page: (unpin_user_page+0x4/0x60) page=0xffffea0000180b00                             tracefs
 *     mine: (gup_fast_fallback+0x7d8/0xda0 <- try_grab_folio_fast) folio=0xffffea0000180b00           tracefs, return
 *     pin_user_pages_ret: (dopin+0x2e/0x70 [pinbug] <- pin_user_pages_fast) ret=2                     tracefs, return
 *     try_grab_folio_ret: (ffffffffb9b80384 <- ffffffffb9b80546) ret=0                                perf, trace-cmd
 *     gup_put_folio: __probe_ip=ffffffffb9b7f290 folio=0xfffff011000b5040 refs=1 flags=0x80000        -R, fields
 */

import {EventKind, LIST_MAX, PageName, type TraceEvent} from '../../src/events/event.js';
import {DIGIT_0, HEX, LESS, LPAREN, MINUS, PLUS, RPAREN, SPACE, DOT, startsWith, hasHexPrefix} from '../bytes.js';
import type {DecodeContext} from './context.js';
import {dmaDirection, isAllOnes} from './dma-values.js';
import {Key} from './keys.js';
import {ReturnShape, type ProbeSpec} from './probe-table.js';

/** What the brackets at the start of a probe's payload say. */
export class ProbeHead {
  /** the probed function's name, or an empty range when there is only an address */
  symbolStart = 0;
  symbolEnd = 0;
  isReturn = false;
  /** where the arguments begin */
  argsStart = 0;
}

/**
 * Reads `(sym+0xoff/0xsize [mod])`, `(caller+.. <- func)`, `(address)`, `(address <- address)`. False if `pos` is not at
 * a bracket or the bracket does not close.
 */
export function readProbeHead(buf: Uint8Array, pos: number, end: number, head: ProbeHead): boolean {
  if (buf[pos] !== LPAREN) return false;
  pos++;
  let symbolStart = pos;
  while (pos < end && isSymbolByte(buf[pos]!)) pos++;
  let symbolEnd = pos;
  head.isReturn = false;
  while (pos < end && buf[pos] !== RPAREN) {
    if (buf[pos] === LESS && pos + 3 < end && buf[pos + 1] === MINUS && buf[pos + 2] === SPACE) {
      head.isReturn = true;
      pos += 3;
      symbolStart = pos;
      while (pos < end && isSymbolByte(buf[pos]!)) pos++;
      symbolEnd = pos;
    } else pos++;
  }
  if (pos >= end) return false;
  if (isAddress(buf, symbolStart, symbolEnd)) symbolEnd = symbolStart;
  head.symbolStart = symbolStart;
  head.symbolEnd = symbolEnd;
  head.argsStart = pos + 1;
  return true;
}

function isSymbolByte(c: number): boolean {
  return c !== PLUS && c !== SPACE && c !== RPAREN && c !== LESS;
}

/** `ffffffff812a7974`, `0xffff..`: no function is called so */
function isAddress(buf: Uint8Array, start: number, end: number): boolean {
  if (hasHexPrefix(buf, start, end)) return true;
  if (end - start < 8) return false;
  for (let i = start; i < end; i++) if (HEX[buf[i]!]! < 0) return false;
  return true;
}

/** Whether the symbol in `[start, end)` is that function, compiler suffixes aside. */
export function isSymbol(buf: Uint8Array, start: number, end: number, name: Uint8Array): boolean {
  if (!startsWith(buf, start, end, name)) return false;
  const rest = start + name.length;
  return rest === end || buf[rest] === DOT;
}

/** Decodes the arguments of a probe on `spec`'s function. */
export function decodeProbe(
  spec: ProbeSpec,
  isReturn: boolean,
  buf: Uint8Array,
  start: number,
  end: number,
  ev: TraceEvent,
  ctx: DecodeContext,
): void {
  const fields = ctx.fields;
  const kind = isReturn ? spec.returnKind : spec.entryKind;
  ev.kind = kind;
  ev.pageName = PageName.none;
  ev.pfn = -1;
  ev.ptrHi = ev.ptrLo = ev.mayBeTail = 0;
  ev.vmemmapHi = ev.vmemmapLo = 0;
  ev.refs = 1;
  ev.gupFlags = ev.hasFlags = 0;
  ev.nr = 0;
  ev.makeDirty = ev.ok = -1;
  ev.ret = ev.hasRet = 0;
  ev.start = 0;
  ev.listLength = ev.listName = ev.dmaLength = 0;
  const isDma = kind >= EventKind.DmaMapEntry || kind === EventKind.DmaUnmap;
  if (isDma) {
    ev.deviceStart = ev.deviceEnd = 0;
    ev.dir = ev.dmaAddr = ev.phys = -1;
    ev.size = ev.pageOffset = ev.failed = ev.truncated = 0;
  }
  let hasNr = false;
  let pageSeen = false;
  fields.open(buf, start, end);
  while (fields.next()) {
    let key = fields.key;
    if (key === Key.arg) {
      // `arg2=`: by the function's signature
      key = isReturn ? (fields.index === 1 ? Key.ret : Key.unknown) : (spec.params[fields.index - 1] ?? Key.unknown);
    }
    switch (key) {
      case Key.page:
      case Key.ptr:
        if (!pageSeen) pageSeen = pagePointer(ev, ctx, 1, isReturn);
        break;
      case Key.folio:
        if (!pageSeen) pageSeen = pagePointer(ev, ctx, 0, isReturn);
        break;
      case Key.pages:
        if (fields.shape !== 0) pageList(ev, ctx);
        else if (!pageSeen && !isListOfPointers(spec)) pageSeen = pagePointer(ev, ctx, 1, isReturn);
        break;
      case Key.pfn:
        ev.pfn = fields.number();
        ev.pageName = PageName.pfn;
        ev.mayBeTail = 1;
        break;
      case Key.refs:
        ev.refs = fields.signed();
        break;
      case Key.count:
      case Key.nr:
      case Key.nents:
      case Key.size:
        if (key === Key.size && isDma) ev.size = fields.number();
        else if (key !== Key.size) {
          ev.nr = fields.number();
          hasNr = true;
        }
        break;
      case Key.flags:
      case Key.gupFlags:
        ev.gupFlags = fields.number();
        ev.hasFlags = 1;
        break;
      case Key.makeDirty:
        ev.makeDirty = fields.stop > fields.start && buf[fields.start] === DIGIT_0 && fields.number() === 0 ? 0 : 1;
        break;
      case Key.ret:
        returnValue(spec, ev, ctx);
        break;
      case Key.vmemmap:
        ev.vmemmapHi = fields.pointerHigh();
        ev.vmemmapLo = fields.pointerLow();
        break;
      case Key.start:
        ev.start = fields.number();
        break;
      case Key.device:
        ev.deviceStart = fields.start;
        ev.deviceEnd = fields.stop;
        break;
      case Key.addr:
        if (!isDma) ev.start = fields.number();
        else dmaAddress(ev, ctx);
        break;
      case Key.dmaAddr:
        dmaAddress(ev, ctx);
        break;
      case Key.dir:
        ev.dir = dmaDirection(buf, fields.start, fields.stop);
        break;
      case Key.offset:
        ev.pageOffset = fields.number();
        break;
      case Key.physAddr:
        ev.phys = fields.number();
        break;
      case Key.pageAt:
      case Key.offAt:
      case Key.lenAt:
        scatterlistField(key, ev, ctx);
        break;
    }
  }
  finish(kind, ev, hasNr);
}

/** Sets the page a pointer argument names. False if the value is no kernel pointer (hashed, or 0). */
function pagePointer(ev: TraceEvent, ctx: DecodeContext, mayBeTail: number, isReturn: boolean): boolean {
  const hi = ctx.fields.pointerHigh();
  const lo = ctx.fields.pointerLow();
  if (isReturn) {
    // try_grab_folio_fast() answers the folio or NULL
    ev.hasRet = 1;
    ev.ok = isKernelPointer(hi, lo) ? 1 : 0;
  }
  if (!isKernelPointer(hi, lo)) return false;
  ev.ptrHi = hi;
  ev.ptrLo = lo;
  ev.mayBeTail = mayBeTail;
  if (ev.pageName !== PageName.pfn) ev.pageName = PageName.pointer;
  return true;
}

/** Bit 63 set, and not an error in disguise (ERR_PTR). */
function isKernelPointer(hi: number, lo: number): boolean {
  return hi >= 0x80000000 && !(hi === 0xffffffff && lo >= 0xfffff000);
}

/** The array parameter of unpin_user_pages() and its kin is a pointer to pointers: no page. */
function isListOfPointers(spec: ProbeSpec): boolean {
  return spec.params[0] === Key.pages || spec.entryKind === EventKind.PinCall || spec.entryKind === EventKind.GetCall;
}

/** `pages={0xffffea00000bdf00,0x0,..}`: up to the first 0; trace-cmd and perf print zeros only. */
function pageList(ev: TraceEvent, ctx: DecodeContext): void {
  const elements = ctx.elements;
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
function scatterlistField(key: number, ev: TraceEvent, ctx: DecodeContext): void {
  const fields = ctx.fields;
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

function dmaAddress(ev: TraceEvent, ctx: DecodeContext): void {
  const {buf, start, stop} = ctx.fields;
  ev.dmaAddr = ctx.fields.number();
  ev.failed = isAllOnes(buf, start, stop) ? 1 : 0;
}

/** `ret=`: a count, a negative error, a bool, a pointer, by the function. */
function returnValue(spec: ProbeSpec, ev: TraceEvent, ctx: DecodeContext): void {
  const fields = ctx.fields;
  ev.hasRet = 1;
  if (ev.kind === EventKind.DmaMapReturn) {
    dmaAddress(ev, ctx);
    return;
  }
  const hi = fields.pointerHigh();
  const lo = fields.pointerLow();
  if (spec.returns !== ReturnShape.plain && isKernelPointer(hi, lo)) {
    pagePointer(ev, ctx, 0, true);
    return;
  }
  ev.ret = fields.signed();
  if (ev.ret < 0) ev.ok = 0;
  else if (ev.kind !== EventKind.GrabReturn) ev.ok = 1;
  else if (spec.returns === ReturnShape.folio) ev.ok = ev.ret === 0 ? 0 : 1;
  else if (spec.returns === ReturnShape.folioOrErrno) {
    // `ret=0` of a signed type is the int of 6.12; `ret=0x0` may be the NULL of an older kernel
    if (ev.ret !== 0) ev.ok = 1;
    else if (ctx.since612) ev.ok = 1;
    else if (ctx.kernel > 0) ev.ok = 0;
    else ev.ok = fields.isHexPrefixed() ? -1 : 1;
  } else {
    // 1 is the `true` of 6.1; 0 is its `false`, or the success of 6.5
    ev.ok = ev.ret === 1 ? 1 : ctx.kernel === 0 ? -1 : ctx.kernel >= 6005 ? 1 : 0;
  }
}

/** Puts together what the arguments said apart. */
function finish(kind: number, ev: TraceEvent, hasNr: boolean): void {
  switch (kind) {
    case EventKind.Grab:
    case EventKind.GupPut:
    case EventKind.AddPin:
      if (hasNr) ev.refs = ev.nr;
      break;
    case EventKind.UnpinCall:
      if (ev.listLength > 0) {
        if (hasNr && ev.listLength > ev.nr) ev.listLength = Math.max(ev.nr, 0);
        if (!hasNr) ev.nr = ev.listLength;
      } else if (!hasNr) ev.nr = 1;
      break;
    case EventKind.FoliosPut:
      if (hasNr && ev.listLength > ev.nr) ev.listLength = Math.max(ev.nr, 0);
      break;
    case EventKind.DmaMapSgEntry:
    case EventKind.DmaUnmapSgEntry: {
      if (hasNr && ev.listLength > ev.nr) ev.listLength = Math.max(ev.nr, 0);
      // an entry without a page (what a short list has after its end) ends the list
      let n = 0;
      while (n < ev.listLength && ev.listPtrHi[n]! >= 0x80000000) n++;
      ev.listLength = n;
      if (n < ev.nr) ev.truncated = 1;
      break;
    }
    case EventKind.DmaMapReturn:
      ev.ok = ev.failed ? 0 : 1;
      break;
  }
}

/** The argument list of a payload without brackets (`-R`, `fields`): `__probe_ip=` or `__probe_func=` comes first. */
export function isFieldDumpOfProbe(buf: Uint8Array, start: number, end: number): boolean {
  return startsWith(buf, start, end, PROBE_PREFIX);
}

const PROBE_PREFIX = new TextEncoder().encode('__probe_');

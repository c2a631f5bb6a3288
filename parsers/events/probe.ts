/**
 * kprobes, kretprobes, fprobes on the functions of probe-table.ts.
 *
 *     unpin_user_page: (unpin_user_page+0x4/0x60) page=0xffffea0000180b00                             tracefs
 *     mine: (gup_fast_fallback+0x7d8/0xda0 <- try_grab_folio_fast) folio=0xffffea0000180b00           tracefs, return
 *     pin_user_pages_ret: (dopin+0x2e/0x70 [pinbug] <- pin_user_pages_fast) ret=2                     tracefs, return
 *     try_grab_folio_ret: (ffffffffb9b80384 <- ffffffffb9b80546) ret=0                                perf, trace-cmd
 *     gup_put_folio: __probe_ip=ffffffffb9b7f290 folio=0xfffff011000b5040 refs=1 flags=0x80000        -R, fields
 */

import {EventKind, type TraceEvent} from '../../src/events/event.js';
import {FAMILIES, FAMILY_OF} from '../../src/events/kinds.js';
import {HEX, LESS, LPAREN, MINUS, PLUS, RPAREN, SPACE, DOT, startsWith, hasHexPrefix} from '../bytes.js';
import type {DecodeContext} from './context.js';
import {readFields, readingsOf} from './family.js';
import type {ProbeSpec} from './probe-table.js';
import type {Reading} from './reading.js';

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
  const kind = isReturn ? spec.returnKind : spec.entryKind;
  ev.begin(kind);
  if (FAMILY_OF[kind] === FAMILIES.probe) ev.fn = spec.fn;
  ev.deviceStart = ev.deviceEnd = 0;
  ctx.fields.open(buf, start, end);
  readFields(PROBE_READINGS[FAMILY_OF[kind]!.name]!, ev, ctx, isReturn ? spec.exit : spec.entry);
  finish(kind, ev, ctx.hasNr);
}

/** A probe that stands for a tracepoint names its arguments as probes do. */
export const PROBE_READINGS: Record<string, readonly (Reading | undefined)[]> = {
  probe: readingsOf('probe'),
  dmaProbe: readingsOf('dmaProbe'),
  dma: readingsOf('dmaUnmapProbe'),
};

/** Puts together what the arguments said apart. */
export function finish(kind: number, ev: TraceEvent, hasNr: boolean): void {
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

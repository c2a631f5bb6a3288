/** Making templates (templates.ts) of lines that the general way has decoded. */

import {EventKind, type TraceEvent} from '../../src/events/event.js';
import {OWN} from '../../src/events/kinds.js';
import {
  ascii,
  EQUALS,
  findByte,
  HEX,
  hasHexPrefix,
  LBRACE,
  RBRACE,
  RPAREN,
  SLASH,
  SPACE,
  skipDigits,
  startsWith,
} from '../bytes.js';
import type {DecodeContext} from '../events/context.js';
import {isCut} from '../events/dma.js';
import {HOW} from '../events/family.js';
import {Key} from '../events/keys.js';
import {ReturnShape, type ProbeArguments} from '../events/probe-table.js';
import type {EventEntry, EventTable} from '../events/table.js';
import {List} from './lists.js';
import {
  Digits,
  LineTemplate,
  type ListsOf,
  MAX_DECIMAL,
  MAX_HEX,
  MAX_SIGNED,
  MAX_SLOTS,
  MAX_TEXTS,
  type Slot,
} from './templates.js';
import {comparable} from './texts.js';

const ALL_ONES = 0xffffffff;
/** Shortest first text of a template. */
const MIN_FIRST = 8;
const PFN_HEX = ascii('pfn=0x');
const BRACKETS = ascii(' () ');
const PLUS = ascii(' + ');

/** A template in the making: literals and the digits after each. */
class Parts {
  readonly literals: Uint8Array[] = [];
  readonly slots: Slot[] = [];
  /** where it has a list */
  listsOf: ListsOf | undefined;

  constructor(
    private readonly buf: Uint8Array,
    /** where the text at hand begins */
    public literal: number,
  ) {}

  /** The digits `[start, stop)` differ from line to line. */
  add(start: number, stop: number, digits: number, at: number): void {
    this.literals.push(new Uint8Array(this.buf.subarray(this.literal, start)));
    this.slots.push({digits, at});
    this.literal = stop;
  }

  /** All up to `end` is the same, and after it comes that. */
  end(end: number, digits: number): void {
    this.add(end, end, digits, 0);
  }
}

/**
 * A template of the event `ev`, just decoded: its time ends at `start`, its payload begins at `payload`, `end` is its
 * newline. Undefined when it holds anything that a template does not take.
 */
export function templateOf(
  entry: EventEntry,
  ev: TraceEvent,
  buf: Uint8Array,
  start: number,
  payload: number,
  end: number,
  table: EventTable,
): LineTemplate | undefined {
  const parts = partsOf(entry, ev, buf, start, payload, end, table);
  if (parts === undefined || parts.literals[0]!.length < MIN_FIRST) return undefined;
  if (!parts.literals.every((bytes) => comparable(bytes, 0, bytes.length))) return undefined;
  const texts = parts.literals.reduce((sum, bytes) => sum + bytes.length, 0);
  if (texts > MAX_TEXTS || parts.slots.length > MAX_SLOTS) return undefined;
  return new LineTemplate(entry, ev, start, parts.literals, parts.slots, parts.listsOf);
}

function partsOf(
  entry: EventEntry,
  ev: TraceEvent,
  buf: Uint8Array,
  start: number,
  payload: number,
  end: number,
  table: EventTable,
): Parts | undefined {
  const {kind} = ev;
  const parts = new Parts(buf, start);
  while (payload < end && buf[payload] === SPACE) payload++;
  if (kind === EventKind.Other) {
    if (payload >= end || !table.isUnread(entry, buf[payload]!)) return undefined;
    parts.end(payload + 1, Digits.unread);
    return parts;
  }
  if (kind <= EventKind.RefUnfreeze) {
    if (!startsWith(buf, payload, end, PFN_HEX)) return undefined;
    parts.end(payload + PFN_HEX.length, Digits.pageRef);
    return parts;
  }
  if (kind === EventKind.BlockIssue || kind === EventKind.BlockComplete || kind === EventKind.BlockRequeue)
    return blockOf(buf, payload, end, table.context, parts);
  return fieldsOf(ev, buf, start, end, table.context, parts);
}

/** `259,0 RM 4096 () 16968 + 8 be,0,4 [wl]`: after the number of sectors nothing is read. */
function blockOf(buf: Uint8Array, payload: number, end: number, ctx: DecodeContext, parts: Parts): Parts | undefined {
  const brackets = findByte(buf, payload, end, RPAREN) - 2;
  if (ctx.readings !== undefined || !startsWith(buf, brackets, end, BRACKETS)) return undefined;
  let bytes = brackets;
  while (bytes > payload && (buf[bytes - 1]! - 48) >>> 0 <= 9) bytes--;
  if (bytes < brackets && buf[bytes - 1] === SPACE) parts.add(bytes, brackets, Digits.ignored, 0);
  const sector = brackets + BRACKETS.length;
  const plus = skipDigits(buf, sector, end);
  const nr = plus + PLUS.length;
  const nrEnd = skipDigits(buf, nr, end);
  if (plus === sector || nrEnd === nr || nrEnd >= end || !startsWith(buf, plus, end, PLUS)) return undefined;
  if (plus - sector > MAX_DECIMAL || nrEnd - nr > MAX_DECIMAL) return undefined;
  parts.add(sector, plus, Digits.decimal, OWN.sector.at);
  parts.add(nr, nrEnd, Digits.decimal, OWN.nr.at);
  parts.add(nrEnd + 1, end, Digits.anything, 0);
  parts.end(end + 1, Digits.end);
  return parts;
}

/** Any other event, by its fields. */
function fieldsOf(
  ev: TraceEvent,
  buf: Uint8Array,
  name: number,
  end: number,
  ctx: DecodeContext,
  parts: Parts,
): Parts | undefined {
  const {kind} = ev;
  const {readings, args, from, fields} = ctx;
  if (kind === EventKind.Mention || readings === undefined || ctx.rangeEnd >= 0) return undefined;
  if (kind >= EventKind.NvmeStart && kind <= EventKind.ScsiDone) return undefined;
  if (kind >= EventKind.DmaMapEntry && kind <= EventKind.DmaUnmapSgItem) return undefined;
  if (kind === EventKind.DmaMapSgError) return undefined;
  // `dev 0:27 ino 35a1ad`, before all fields
  if (kind === EventKind.CacheAdd || kind === EventKind.CacheDelete) inode(buf, name, from, parts);
  const seen = new Set<string>();
  // a field that nobody reads and that is the last one
  let last = -1;
  fields.open(buf, from, end);
  while (fields.next(true)) {
    const r = readings[args && fields.key === Key.arg ? args.keyOf(fields.index) : fields.key];
    last = r === undefined ? fields.start : -1;
    if (r === undefined) {
      // an argument that nobody reads, as `bio=0xffff893d43829600`
      if (
        fields.shape === 0 &&
        hasHexPrefix(buf, fields.start, fields.stop) &&
        areHex(buf, fields.start + 2, fields.stop)
      )
        parts.add(fields.start + 2, fields.stop, Digits.ignored, 0);
      else if (isTotal(buf, fields.start, fields.stop)) parts.add(fields.start, fields.stop, Digits.total, 0);
      continue;
    }
    // of two that mean the same, one counts: which is not for here
    const meaning =
      r.how === HOW.folio || r.how === HOW.pages ? 'page' : r.field === 'nr' ? 'refs' : (r.field ?? `${r.how}`);
    const group = r.how === HOW.page ? 'page' : meaning;
    if (seen.has(group)) return undefined;
    seen.add(group);
    const list = listOf(r.how);
    if (fields.shape !== 0 && list !== List.skipped) {
      if (fields.shape !== LBRACE || buf[fields.stop] !== RBRACE) return undefined;
      parts.add(fields.start, fields.stop, Digits.list, list);
      parts.listsOf = {cut: isCut(buf, from, end), hasNr: ctx.hasNr};
      continue;
    }
    const digits = fields.shape === 0 ? digitsOf(r.how, r.field, buf, fields.start, fields.stop, args, ev) : undefined;
    if (digits === undefined) continue;
    parts.add(
      hasHexPrefix(buf, fields.start, fields.stop) ? fields.start + 2 : fields.start,
      fields.stop,
      digits,
      r.how === HOW['dma number'] ? OWN.dmaAddr.at : r.how === HOW.total ? OWN.nr.at : r.at,
    );
    // its place would move with the digits before it
    if (ev.deviceEnd > fields.stop || ev.textEnd > fields.stop) return undefined;
  }
  // entries that none of them told
  if (ev.listLength > 0 && parts.listsOf === undefined) return undefined;
  finish(buf, parts, last, end);
  return parts;
}

/** Which list a field is. */
function listOf(how: number): number {
  switch (how) {
    case HOW.pages:
      return List.pages;
    case HOW.addresses:
      return List.phys;
    case HOW['dma addresses']:
      return List.dma;
    case HOW.lengths:
      return List.lengths;
    default:
      return List.skipped;
  }
}

/** The end of the line, whose last field nobody reads if it begins at `last`: its newline, or anything that is no field. */
function finish(buf: Uint8Array, parts: Parts, last: number, end: number): void {
  if (last >= parts.literal && areWords(buf, last, end)) parts.add(last, end, Digits.rest, 0);
  parts.end(end + 1, Digits.end);
}

function areWords(buf: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (buf[i]! < SPACE || buf[i] === EQUALS) return false;
  return true;
}

/** The inode's number that stands before the fields at `from`. */
function inode(buf: Uint8Array, name: number, from: number, parts: Parts): void {
  let start = from;
  while (start > name && HEX[buf[start - 1]!]! >= 0) start--;
  if (start === from || from - start > MAX_HEX || buf[start - 1] !== SPACE || buf[start - 2] !== LETTER_o) return;
  parts.add(start, from, Digits.hex, OWN.ino.at);
}

const LETTER_o = 111;
const ZERO = 48;

/** How the digits of a value are to be read; undefined if it is to stay the same. */
function digitsOf(
  how: number,
  field: string | undefined,
  buf: Uint8Array,
  start: number,
  stop: number,
  args: ProbeArguments | undefined,
  ev: TraceEvent,
): number | undefined {
  if (how === HOW.pages && args?.listOfPointers === true) {
    return hasHexPrefix(buf, start, stop) && areHex(buf, start + 2, stop) ? Digits.ignored : undefined;
  }
  if (how === HOW.page || how === HOW.folio || how === HOW.pages) {
    // one that names a page: what follows from that stays in the row
    const named = ev.ptrHi >= 0x80000000 && ev.ptrHi !== ALL_ONES;
    return named && hasHexPrefix(buf, start, stop) && stop - start === 18 ? Digits.pointer : undefined;
  }
  if (how === HOW.total) return isTotal(buf, start, stop) ? Digits.total : undefined;
  if (how === HOW['pointer beside']) {
    // what perf and trace-cmd print there is none
    if (hasHexPrefix(buf, start, stop)) return areHex(buf, start + 2, stop) ? Digits.ignored : undefined;
    if (stop - start !== 16 || !areHex(buf, start, stop)) return undefined;
    return buf[start] === ZERO ? Digits.hashed : Digits.raw;
  }
  if (how === HOW.return)
    return args?.returns === ReturnShape.plain && areDecimal(buf, start, stop) ? Digits.signed : undefined;
  if (how !== HOW['dma number'] && (field === undefined || !VARIABLE.has(field))) return undefined;
  if (hasHexPrefix(buf, start, stop)) {
    return how !== HOW.signed && stop - start - 2 <= MAX_HEX && areHex(buf, start + 2, stop) ? Digits.hex : undefined;
  }
  if (how === HOW.hex || how === HOW.dma) {
    return stop - start <= MAX_HEX && areHex(buf, start, stop) ? Digits.hex : undefined;
  }
  if (!areDecimal(buf, start, stop)) return undefined;
  if (how === HOW.signed) return stop - start <= MAX_SIGNED ? Digits.int : undefined;
  return stop - start <= MAX_DECIMAL ? Digits.decimal : undefined;
}

/** Fields that differ from line to line; the others have few values. */
const VARIABLE = new Set([
  'pfn',
  'order',
  'mt',
  'ino',
  'ofs',
  'index',
  'dmaAddr',
  'size',
  'phys',
  'start',
  'nr',
  'refs',
]);

function areHex(buf: Uint8Array, start: number, stop: number): boolean {
  for (let i = start; i < stop; i++) if (HEX[buf[i]!]! < 0) return false;
  return stop > start;
}

/** `17/17` */
function isTotal(buf: Uint8Array, start: number, stop: number): boolean {
  const slash = skipDigits(buf, start, stop);
  return slash > start && slash < stop && buf[slash] === SLASH && areDecimal(buf, slash + 1, stop);
}

function areDecimal(buf: Uint8Array, start: number, stop: number): boolean {
  for (let i = start; i < stop; i++) if ((buf[i]! - 48) >>> 0 > 9) return false;
  return stop > start;
}

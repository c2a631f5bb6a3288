/**
 * Lines of one event differ in a few digits only. A template holds what is the same in them, text by text, and where the
 * digits are; the next line of that event is compared with it and its digits read, without looking at a name again.
 *
 *     : gup_put_folio: (gup_put_folio+0x0/0x90) folio=0xffffea0000180b00 refs=1 flags=0x80000
 *      `------------------ same ---------------------´^ 16 digits      `----´^`-------------´
 *     : mm_filemap_add_to_page_cache: dev 0:27 ino 35a1ad pfn=0x2fc1 ofs=790528 order=0
 *      `----------------------------------------´`----´`-----´`--´`---´`----´`------´
 *
 * A template never guesses: it is made from a line that the general way has decoded (template-of.ts), and it gives up (-1) on
 * any difference; the general way then decodes the line. What is the same stands in a row of the template's own, where only
 * the digits are written; the event's view is moved to it.
 */

import {EventKind, type TraceEvent} from '../../src/events/event.js';
import {FAMILIES, FAMILY_OF, OWN, ROW_BYTES} from '../../src/events/kinds.js';
import {CR, EQUALS, HEX, LF, MINUS, SLASH, SPACE} from '../bytes.js';
import {finishLists} from '../events/dma.js';
import {finish as finishProbe} from '../events/probe.js';
import type {EventEntry} from '../events/table.js';
import {List, Lists} from './lists.js';
import {HEX2} from './texts.js';

const lists = new Lists();

/** What stands between two texts. */
export const Digits = {
  /** nothing: the text ended with the newline */
  end: 0,
  /** 16 after `0x`, of a kernel pointer */
  pointer: 1,
  hex: 2,
  decimal: 3,
  /** 16 that are no pointer, which begin with a zero */
  hashed: 4,
  /** 16 that are one */
  raw: 5,
  /** decimal, of a return value */
  signed: 6,
  /** of a number that tells nothing */
  ignored: 7,
  /** decimal, of an int */
  int: 8,
  /** what is left of the line, in which no field is */
  rest: 9,
  /** what is left of the line, whatever it is */
  anything: 10,
  /** `17/17`: the second is the number; of neither one where it has no column */
  total: 11,
  /** a list in braces: the column is the list's (lists.ts) */
  list: 12,
  /** the payload of page_ref: PageRefLines reads it */
  pageRef: 13,
  /** what is left of a line that nobody needs */
  unread: 14,
} as const;

/**
 * The quick way reads words without asking for the buffer's end: a line begins so far from it, and no template is of a longer
 * one. Columns, MAX_TEXTS, MAX_SLOTS numbers and what is passed over are less together.
 */
export const MARGIN = 1024;
export const MAX_TEXTS = 320;
export const MAX_SLOTS = 10;
/** Numbers are exact up to so many digits. */
export const MAX_HEX = 13;
export const MAX_DECIMAL = 15;
export const MAX_SIGNED = 9;
/** DMA_MAPPING_ERROR where dma_addr_t has 32 bits. */
const ALL_ONES = 0xffffffff;

export interface Slot {
  readonly digits: number;
  /** column of the number; 0 where it is a pointer's */
  readonly at: number;
}

/** What lists mean together. */
export interface ListsOf {
  /** of a mapping: the kernel cut them */
  readonly cut: boolean;
  /** of a call: a number of pages stands beside them */
  readonly hasNr: boolean;
}

export class LineTemplate {
  /** another one of lines that begin like this one's */
  next: LineTemplate | undefined;
  /** what the first text ends with */
  readonly first: number;
  /** texts of eight bytes and more as doubles, the last one the text's last eight bytes */
  private readonly doubles: Float64Array;
  /** shorter ones: two words, each with the mask of its bytes */
  private readonly words: Int32Array;
  private readonly lengths: Uint16Array;
  private readonly digits: Uint8Array;
  private readonly columns: Uint8Array;
  private readonly device: number;
  private readonly deviceLength: number;
  private readonly text: number;
  private readonly textLength: number;
  /** where the row's parts begin: of doubles, of words, of bytes */
  private at64 = 0;
  private at32 = 0;
  private at8 = 0;

  /** Of the event `ev`; its line's texts begin at `start`. */
  constructor(
    readonly entry: EventEntry,
    ev: TraceEvent,
    start: number,
    literals: readonly Uint8Array[],
    slots: readonly Slot[],
    private readonly listsOf: ListsOf | undefined,
  ) {
    const doubles: number[] = [];
    const words: number[] = [];
    for (const bytes of literals) {
      const {length} = bytes;
      const padded = new DataView(new ArrayBuffer(length + 8));
      bytes.forEach((byte, i) => padded.setUint8(i, byte));
      if (length >= 8) {
        for (let at = 0; at < length - 8; at += 8) doubles.push(padded.getFloat64(at, true));
        doubles.push(padded.getFloat64(length - 8, true));
      } else {
        for (const at of [0, 4]) {
          const bits = 8 * Math.min(4, Math.max(0, length - at));
          words.push(padded.getInt32(at, true), bits === 32 ? -1 : (1 << bits) - 1);
        }
      }
    }
    this.doubles = Float64Array.from(doubles);
    this.words = Int32Array.from(words);
    this.lengths = Uint16Array.from(literals, (bytes) => bytes.length);
    this.digits = Uint8Array.from(slots, (slot) => slot.digits);
    this.columns = Uint8Array.from(slots, (slot) => slot.at);
    this.first = slots[0]!.digits;
    this.nameStart = ev.nameStart - start;
    this.nameEnd = ev.nameEnd - start;
    this.deviceLength = ev.deviceEnd - ev.deviceStart;
    this.device = this.deviceLength > 0 ? ev.deviceStart - start : 0;
    this.textLength = ev.textEnd - ev.textStart;
    this.text = this.textLength > 0 ? ev.textStart - start : 0;
  }

  /** where the name stands, from where the texts begin */
  readonly nameStart: number;
  readonly nameEnd: number;

  /** The template's row in the rows that `ev` is a view of. */
  setRow(row: number): void {
    this.at8 = row * ROW_BYTES;
    this.at32 = this.at8 >> 2;
    this.at64 = this.at8 >> 3;
  }

  /** Moves the view to the template's row. */
  view(ev: TraceEvent): void {
    ev.at64 = this.at64;
    ev.at32 = this.at32;
    ev.at8 = this.at8;
  }

  /** The device or bdi that a line names whose texts begin at `start`. */
  named(ev: TraceEvent, start: number): void {
    ev.deviceStart = start + this.device;
    ev.deviceEnd = ev.deviceStart + this.deviceLength;
    ev.textStart = start + this.text;
    ev.textEnd = ev.textStart + this.textLength;
  }

  /** Whether the first text stands at `pos`: where it ends, or -1. */
  begins(view: DataView, pos: number): number {
    const {doubles} = this;
    const end = pos + this.lengths[0]!;
    let at = 0;
    for (; pos < end - 8; pos += 8) if (view.getFloat64(pos, true) !== doubles[at++]) return -1;
    return view.getFloat64(end - 8, true) === doubles[at] ? end : -1;
  }

  /** The digits and texts from `pos` on, where the first text ended. Answers the newline's position, or -1. */
  read(buf: Uint8Array, view: DataView, pos: number, ev: TraceEvent): number {
    const {doubles, words, lengths, digits} = this;
    let double = (lengths[0]! + 7) >> 3;
    let word = 0;
    for (let i = 0; digits[i] !== Digits.end;) {
      pos = this.value(buf, view, pos, i, ev);
      const length = lengths[++i]!;
      if (pos < 0) return -1;
      if (length >= 8) {
        const last = pos + length - 8;
        for (; pos < last; pos += 8) if (view.getFloat64(pos, true) !== doubles[double++]) return -1;
        if (view.getFloat64(last, true) !== doubles[double++]) return -1;
        pos = last + 8;
      } else {
        const first = (view.getInt32(pos, true) ^ words[word]!) & words[word + 1]!;
        const second = (view.getInt32(pos + 4, true) ^ words[word + 2]!) & words[word + 3]!;
        if ((first | second) !== 0) return -1;
        word += 4;
        pos += length;
      }
    }
    if (this.listsOf !== undefined) this.finish(ev, this.listsOf);
    return pos - 1;
  }

  /** What lists say together, as the general way has it. */
  private finish(ev: TraceEvent, {cut, hasNr}: ListsOf): void {
    const {kind} = ev;
    if (FAMILY_OF[kind] === FAMILIES.dma) {
      ev.truncated = 0;
      finishLists(kind, ev, this.sizes, cut);
    } else finishProbe(kind, ev, hasNr);
  }

  private sizes = -1;

  private list(buf: Uint8Array, view: DataView, pos: number, list: number, ev: TraceEvent): number {
    pos = lists.read(buf, view, pos, list, ev);
    // a list may be longer than all else
    if (pos + MARGIN > buf.length) return -1;
    if (list === List.dma) ev.dmaLength = lists.length;
    else if (list === List.lengths) this.sizes = lists.length;
    else if (list !== List.skipped) ev.listLength = lists.length;
    return pos;
  }

  /** Reads digits at `pos`. Answers where they end, or -1. */
  private value(buf: Uint8Array, view: DataView, pos: number, i: number, ev: TraceEvent): number {
    const digits = this.digits[i]!;
    switch (digits) {
      case Digits.pointer:
      case Digits.hashed:
      case Digits.raw:
        return pointer(buf, view, pos, digits, ev);
      case Digits.decimal:
        return decimal(buf, pos, MAX_DECIMAL, ev, this.columns[i]!);
      case Digits.int:
        return decimal(buf, pos, MAX_SIGNED, ev, this.columns[i]!);
      case Digits.hex:
        return hexadecimal(buf, pos, ev, this.columns[i]!);
      case Digits.signed:
        return signed(buf, pos, ev);
      case Digits.rest:
        return rest(buf, pos);
      case Digits.anything:
        pos = newlineFrom(buf, pos);
        return buf[pos - 1] === CR ? -1 : pos;
      case Digits.total:
        return total(buf, pos, ev, this.columns[i]!);
      case Digits.list:
        return this.list(buf, view, pos, this.columns[i]!, ev);
      default:
        return ignored(buf, pos);
    }
  }
}

function decimal(buf: Uint8Array, pos: number, most: number, ev: TraceEvent, column: number): number {
  const start = pos;
  let value = 0;
  let digit: number;
  while ((digit = buf[pos]! - 48) >>> 0 <= 9) {
    value = value * 10 + digit;
    pos++;
  }
  if (pos === start || pos > start + most || (value === 0 && column === OWN.pfn.at)) return -1;
  ev.f64[ev.at64 + column] = value;
  if (column === OWN.nr.at) countedToo(ev, value);
  return pos;
}

function total(buf: Uint8Array, pos: number, ev: TraceEvent, column: number): number {
  const slash = digitsEnd(buf, pos);
  if (slash === pos || slash > pos + MAX_DECIMAL || buf[slash] !== SLASH) return -1;
  const end = digitsEnd(buf, slash + 1);
  if (end === slash + 1 || end > slash + 1 + MAX_DECIMAL) return -1;
  return column === 0 ? end : decimal(buf, slash + 1, MAX_DECIMAL, ev, column);
}

function digitsEnd(buf: Uint8Array, pos: number): number {
  while ((buf[pos]! - 48) >>> 0 <= 9) pos++;
  return pos;
}

/** Probes on these functions print one number of references, under either name. */
function countedToo(ev: TraceEvent, value: number): void {
  const {kind} = ev;
  if (kind === EventKind.Grab || kind === EventKind.GupPut || kind === EventKind.AddPin) ev.refs = value;
}

function hexadecimal(buf: Uint8Array, pos: number, ev: TraceEvent, column: number): number {
  const start = pos;
  let value = 0;
  let digit: number;
  while ((digit = HEX[buf[pos]!]!) >= 0) {
    value = value * 16 + digit;
    pos++;
  }
  if (pos === start || pos > start + MAX_HEX || value === 0 || value === ALL_ONES) return -1;
  ev.f64[ev.at64 + column] = value;
  return pos;
}

function signed(buf: Uint8Array, pos: number, ev: TraceEvent): number {
  const negative = buf[pos] === MINUS;
  if (negative) pos++;
  const start = pos;
  let value = 0;
  let digit: number;
  while ((digit = buf[pos]! - 48) >>> 0 <= 9) {
    value = value * 10 + digit;
    pos++;
  }
  if (pos === start || pos > start + MAX_SIGNED) return -1;
  ev.ret = negative ? -value : value;
  ev.ok = negative && value > 0 ? 0 : 1;
  return pos;
}

function pointer(buf: Uint8Array, view: DataView, pos: number, digits: number, ev: TraceEvent): number {
  const a = HEX2[view.getUint16(pos, true)]!;
  const b = HEX2[view.getUint16(pos + 2, true)]!;
  const c = HEX2[view.getUint16(pos + 4, true)]!;
  const d = HEX2[view.getUint16(pos + 6, true)]!;
  const e = HEX2[view.getUint16(pos + 8, true)]!;
  const f = HEX2[view.getUint16(pos + 10, true)]!;
  const g = HEX2[view.getUint16(pos + 12, true)]!;
  const h = HEX2[view.getUint16(pos + 14, true)]!;
  if ((a | b | c | d | e | f | g | h) < 0) return -1;
  if (digits === Digits.hashed) return buf[pos] === ZERO ? pos + 16 : -1;
  // bit 63 set, and no error number
  const hi = (a << 24) | (b << 16) | (c << 8) | d;
  if (hi >= 0 || hi === -1) return -1;
  ev.i32[ev.at32 + OWN.ptrHi.at] = hi;
  ev.i32[ev.at32 + OWN.ptrLo.at] = (e << 24) | (f << 16) | (g << 8) | h;
  return pos + 16;
}

const ZERO = 48;

/** Longest part of a line that is passed over, and most digits: a template's line ends before the buffer does (MARGIN). */
const MAX_PASSED = 256;
const MAX_DIGITS = 32;

function ignored(buf: Uint8Array, pos: number): number {
  const start = pos;
  while (HEX[buf[pos]!]! >= 0) pos++;
  return pos === start || pos > start + MAX_DIGITS ? -1 : pos;
}

/** Up to the newline, if no field can be there. */
function rest(buf: Uint8Array, pos: number): number {
  const start = pos;
  let byte: number;
  while ((byte = buf[pos]!) >= SPACE && byte !== EQUALS) pos++;
  return byte === LF && pos <= start + MAX_PASSED ? pos : -1;
}

/** The newline from `pos` on, or -1 where it is too far away. */
export function newlineFrom(buf: Uint8Array, pos: number): number {
  for (const end = pos + MAX_PASSED; pos < end; pos++) if (buf[pos] === LF) return pos;
  return -1;
}

/** Templates made before it is plain that this trace's lines do not repeat. */
const MAX_MADE = 4096;
/** Templates of one event: lines that differ in what no template takes would make one each. */
export const MAX_OF_EVENT = 64;
/** Templates of lines that begin alike. */
const MAX_ALIKE = 16;
const MASK = 1023;

/** Templates by a few words of the line. */
export class Templates {
  private readonly slots: (LineTemplate | undefined)[] = Array.from({length: MASK + 1}, () => undefined);
  private made = 0;

  /** The first template of lines that begin as the one at `pos`. */
  alike(view: DataView, pos: number): LineTemplate | undefined {
    return this.slots[slotOf(view, pos)];
  }

  /** This trace's lines do not repeat: no more are to be made. */
  get full(): boolean {
    return this.made >= MAX_MADE;
  }

  /** Of a line whose texts begin at `pos`, just decoded into the first row. */
  put(view: DataView, pos: number, template: LineTemplate, ev: TraceEvent): void {
    this.keepRow(template, ev);
    template.entry.templates++;
    const slot = slotOf(view, pos);
    template.next = this.slots[slot];
    this.slots[slot] = template;
    let last: LineTemplate | undefined = template;
    for (let i = 1; i < MAX_ALIKE && last; i++) last = last.next;
    if (last) last.next = undefined;
  }

  /** The row of `ev` is copied to one that the template keeps. */
  private keepRow(template: LineTemplate, ev: TraceEvent): void {
    const row = ++this.made;
    const needed = ((row + 1) * ROW_BYTES) / 8;
    if (ev.f64.length < needed) {
      const grown = new Float64Array(2 * needed);
      new Int8Array(grown.buffer).set(new Int8Array(ev.f64.buffer));
      ev.f64 = grown;
      ev.i32 = new Int32Array(grown.buffer);
      ev.i8 = new Int8Array(grown.buffer);
    }
    ev.i8.copyWithin(row * ROW_BYTES, 0, ROW_BYTES);
    template.setRow(row);
  }

  /** What is the same in lines may mean something else from now on. */
  forget(): void {
    this.slots.fill(undefined);
  }
}

function slotOf(view: DataView, pos: number): number {
  const hash =
    view.getInt32(pos, true) ^
    Math.imul(view.getInt32(pos + 8, true), 0x2c1b3c6d) ^
    Math.imul(view.getInt32(pos + 12, true), 0x1b873593) ^
    Math.imul(view.getInt32(pos + 16, true), 0x297a2d39);
  return (hash ^ (hash >>> 11) ^ (hash >>> 21)) & MASK;
}

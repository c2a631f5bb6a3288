/**
 * Lines of one event differ in a few digits only. A template holds what is the same in them, word by word, and where the
 * digits are; the next line of that event is compared with it and its digits read, without looking at a name again.
 *
 *     gup_put_folio: (gup_put_folio+0x0/0x90) folio=0xffffea0000180b00 refs=1 flags=0x80000
 *     `------------------ same --------------------´^ 16 digits      `----´^`-------------´
 *     mm_filemap_add_to_page_cache: dev 0:27 ino 35a1ad pfn=0x2fc1 ofs=790528 order=0
 *     `---------------------------------------´`----´`-----´`--´`---´`----´`------´
 *
 * A template never guesses: it is made from a line that the general way has decoded, whose row it keeps for all that is the
 * same, and it gives up (-1) on any difference; the general way then decodes the line.
 */

import {EventKind, type TraceEvent} from '../../src/events/event.js';
import {OWN, OWN_WORD, ROW_BYTES} from '../../src/events/kinds.js';
import {HEX, LF, MINUS, SPACE, hasHexPrefix} from '../bytes.js';
import type {DecodeContext} from '../events/context.js';
import {HOW} from '../events/family.js';
import {Key} from '../events/keys.js';
import {ReturnShape, type ProbeArguments} from '../events/probe-table.js';
import type {EventEntry} from '../events/table.js';

/** Kinds of digits. */
const Digits = {
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
} as const;

/** Numbers are exact up to so many digits. */
const MAX_HEX = 13;
const MAX_DECIMAL = 15;
const MAX_SIGNED = 9;
/** DMA_MAPPING_ERROR where dma_addr_t has 32 bits. */
const ALL_ONES = 0xffffffff;

interface Slot {
  readonly digits: number;
  /** column of the number; 0 where it is a pointer's */
  readonly at: number;
}

export class LineTemplate {
  /** another one of lines that begin like this one's */
  next: LineTemplate | undefined;
  private readonly words: Int32Array;
  private readonly lengths: Uint16Array;
  private readonly digits: Uint8Array;
  private readonly columns: Uint8Array;
  /** the row's own words, as far as they are the same */
  private readonly row = new Int32Array(ROW_BYTES / 4 - OWN_WORD);
  private readonly device: number;
  private readonly deviceLength: number;
  private readonly bdi: number;
  private readonly bdiLength: number;
  readonly kind: EventKind;

  /** Of the event `ev`, whose name begins at `name`. */
  constructor(
    readonly entry: EventEntry,
    ev: TraceEvent,
    name: number,
    literals: readonly Uint8Array[],
    slots: readonly Slot[],
  ) {
    const words: number[] = [];
    for (const bytes of literals) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let at = 0; at + 4 <= bytes.length; at += 4) words.push(view.getInt32(at, true));
      // the last four bytes again, whatever the length
      if (bytes.length & 3) words.push(view.getInt32(bytes.length - 4, true));
    }
    this.words = Int32Array.from(words);
    this.lengths = Uint16Array.from(literals, (bytes) => bytes.length);
    this.digits = Uint8Array.from(slots, (slot) => slot.digits);
    this.columns = Uint8Array.from(slots, (slot) => slot.at);
    this.kind = ev.kind;
    for (let i = 0; i < this.row.length; i++) this.row[i] = ev.i32[ev.at32 + OWN_WORD + i]!;
    this.deviceLength = ev.deviceEnd - ev.deviceStart;
    this.device = this.deviceLength > 0 ? ev.deviceStart - name : 0;
    this.bdiLength = ev.textEnd - ev.textStart;
    this.bdi = this.bdiLength > 0 ? ev.textStart - name : 0;
  }

  /** The line's event from its name on, at `pos`. Answers the newline's position, or -1. */
  read(buf: Uint8Array, view: DataView, pos: number, ev: TraceEvent): number {
    const {words, lengths, digits} = this;
    const name = pos;
    let at = 0;
    for (let i = 0; ; i++) {
      const length = lengths[i]!;
      const whole = pos + (length & ~3);
      for (; pos < whole; pos += 4) if (view.getInt32(pos, true) !== words[at++]) return -1;
      if ((length & 3) !== 0) {
        pos += length & 3;
        if (view.getInt32(pos - 4, true) !== words[at++]) return -1;
      }
      if (i === 0) this.begin(ev, name);
      if (digits[i] === Digits.end) return buf[pos] === LF ? pos : -1;
      pos = this.value(buf, pos, digits[i]!, this.columns[i]!, ev);
      if (pos < 0) return -1;
    }
  }

  /** What is the same in every line. */
  private begin(ev: TraceEvent, name: number): void {
    const {row} = this;
    const {i32} = ev;
    const at = ev.at32 + OWN_WORD;
    for (let i = 0; i < row.length; i++) i32[at + i] = row[i]!;
    ev.kind = this.kind;
    ev.deviceStart = name + this.device;
    ev.deviceEnd = ev.deviceStart + this.deviceLength;
    ev.textStart = name + this.bdi;
    ev.textEnd = ev.textStart + this.bdiLength;
  }

  /** Reads digits at `pos`. Answers where they end, or -1. */
  private value(buf: Uint8Array, pos: number, digits: number, column: number, ev: TraceEvent): number {
    switch (digits) {
      case Digits.decimal:
        return decimal(buf, pos, MAX_DECIMAL, ev, column);
      case Digits.int:
        return decimal(buf, pos, MAX_SIGNED, ev, column);
      case Digits.hex:
        return hexadecimal(buf, pos, ev, column);
      case Digits.signed:
        return signed(buf, pos, ev);
      case Digits.ignored:
        return ignored(buf, pos);
      default:
        return pointer(buf, pos, digits, ev);
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

function pointer(buf: Uint8Array, pos: number, digits: number, ev: TraceEvent): number {
  const hi = hex8(buf, pos);
  const lo = hex8(buf, pos + 8);
  if (hi < 0 || lo < 0) return -1;
  if (digits === Digits.hashed) return buf[pos] === ZERO ? pos + 16 : -1;
  // bit 63 set, and no error number
  if (hi < 0x80000000 || hi === ALL_ONES) return -1;
  ev.ptrHi = hi;
  ev.ptrLo = lo;
  return pos + 16;
}

const ZERO = 48;

function ignored(buf: Uint8Array, pos: number): number {
  const start = pos;
  while (HEX[buf[pos]!]! >= 0) pos++;
  return pos === start ? -1 : pos;
}

/** Eight hexadecimal digits as an unsigned number, or -1. */
function hex8(buf: Uint8Array, pos: number): number {
  const a = HEX[buf[pos]!]!;
  const b = HEX[buf[pos + 1]!]!;
  const c = HEX[buf[pos + 2]!]!;
  const d = HEX[buf[pos + 3]!]!;
  const e = HEX[buf[pos + 4]!]!;
  const f = HEX[buf[pos + 5]!]!;
  const g = HEX[buf[pos + 6]!]!;
  const h = HEX[buf[pos + 7]!]!;
  if ((a | b | c | d | e | f | g | h) < 0) return -1;
  return ((a << 28) | (b << 24) | (c << 20) | (d << 16) | (e << 12) | (f << 8) | (g << 4) | h) >>> 0;
}

/** A template in the making: literals and the digits after each. */
class Parts {
  readonly literals: Uint8Array[] = [];
  readonly slots: Slot[] = [];

  constructor(
    private readonly buf: Uint8Array,
    private literal: number,
  ) {}

  /** The digits `[start, stop)` differ from line to line. */
  add(start: number, stop: number, digits: number, at: number): void {
    this.literals.push(new Uint8Array(this.buf.subarray(this.literal, start)));
    this.slots.push({digits, at});
    this.literal = stop;
  }

  /** False where a literal is too short to be compared. */
  end(end: number): boolean {
    this.add(end, end, Digits.end, 0);
    return this.literals.every(({length}) => length === 0 || length >= 4);
  }

  get empty(): boolean {
    return this.slots.length === 0;
  }
}

/**
 * A template of the event `ev`, just decoded, whose name begins at `name`; `end` is its newline. Undefined when it holds
 * anything that a template does not take.
 */
export function templateOf(
  entry: EventEntry,
  ev: TraceEvent,
  buf: Uint8Array,
  name: number,
  end: number,
  ctx: DecodeContext,
): LineTemplate | undefined {
  const {kind} = ev;
  const {readings, args, from, fields} = ctx;
  if (readings === undefined || ev.listLength > 0 || ctx.rangeEnd >= 0) return undefined;
  if (kind >= EventKind.DmaMapEntry && kind <= EventKind.DmaUnmapSgItem) return undefined;
  if (kind === EventKind.DmaMapSg || kind === EventKind.DmaUnmapSg || kind === EventKind.DmaMapSgError)
    return undefined;
  // `ret=0` of it means this or that by what the trace has shown until then
  if (kind === EventKind.GrabReturn && ev.ok !== 1) return undefined;
  const parts = new Parts(buf, name);
  // `dev 0:27 ino 35a1ad`, before all fields
  if (kind === EventKind.CacheAdd || kind === EventKind.CacheDelete) inode(buf, name, from, parts);
  const seen = new Set<string>();
  fields.open(buf, from, end);
  while (fields.next(true)) {
    const r = readings[args && fields.key === Key.arg ? args.keyOf(fields.index) : fields.key];
    if (r === undefined) {
      // an argument that nobody reads, as `bio=0xffff893d43829600`
      if (
        fields.shape === 0 &&
        hasHexPrefix(buf, fields.start, fields.stop) &&
        areHex(buf, fields.start + 2, fields.stop)
      )
        parts.add(fields.start + 2, fields.stop, Digits.ignored, 0);
      continue;
    }
    // of two that mean the same, one counts: which is not for here
    const meaning =
      r.how === HOW.folio || r.how === HOW.pages ? 'page' : r.field === 'nr' ? 'refs' : (r.field ?? `${r.how}`);
    const group = r.how === HOW.page ? 'page' : meaning;
    if (seen.has(group)) return undefined;
    seen.add(group);
    const digits = fields.shape === 0 ? digitsOf(r.how, r.field, buf, fields.start, fields.stop, args, ev) : undefined;
    if (digits === undefined) continue;
    parts.add(
      hasHexPrefix(buf, fields.start, fields.stop) ? fields.start + 2 : fields.start,
      fields.stop,
      digits,
      r.how === HOW['dma number'] ? OWN.dmaAddr.at : r.at,
    );
    // its place would move with the digits before it
    if (ev.deviceEnd > fields.stop || ev.textEnd > fields.stop) return undefined;
  }
  if (parts.empty || !parts.end(end)) return undefined;
  return new LineTemplate(entry, ev, name, parts.literals, parts.slots);
}

/** The inode's number that stands before the fields at `from`. */
function inode(buf: Uint8Array, name: number, from: number, parts: Parts): void {
  let start = from;
  while (start > name && HEX[buf[start - 1]!]! >= 0) start--;
  if (start === from || from - start > MAX_HEX || buf[start - 1] !== SPACE || buf[start - 2] !== LETTER_o) return;
  parts.add(start, from, Digits.hex, OWN.ino.at);
}

const LETTER_o = 111;

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

function areDecimal(buf: Uint8Array, start: number, stop: number): boolean {
  for (let i = start; i < stop; i++) if ((buf[i]! - 48) >>> 0 > 9) return false;
  return stop > start;
}

/** Templates made before it is plain that this trace's lines do not repeat. */
const MAX_MADE = 4096;
/** Templates of one event: lines that differ in what no template takes would make one each. */
export const MAX_OF_EVENT = 64;
/** Templates of lines that begin alike. */
const MAX_ALIKE = 6;
const MASK = 1023;

/** Templates by a few words of the line. */
export class Templates {
  private readonly slots: (LineTemplate | undefined)[] = Array.from({length: MASK + 1}, () => undefined);
  private made = 0;
  /** the template that the last line was of */
  found: LineTemplate | undefined;

  /** The line's event from its name on, at `pos`. Answers the newline's position, or -1; `found` is its template. */
  read(buf: Uint8Array, view: DataView, pos: number, hashed: number, ev: TraceEvent): number {
    let template = this.slots[this.slot(view, hashed)];
    while (template !== undefined) {
      const newline = template.read(buf, view, pos, ev);
      if (newline > 0) {
        this.found = template;
        return newline;
      }
      template = template.next;
    }
    return -1;
  }

  put(view: DataView, hashed: number, template: LineTemplate): void {
    if (this.made >= MAX_MADE) return;
    this.made++;
    template.entry.templates++;
    const slot = this.slot(view, hashed);
    template.next = this.slots[slot];
    this.slots[slot] = template;
    let last: LineTemplate | undefined = template;
    for (let i = 1; i < MAX_ALIKE && last; i++) last = last.next;
    if (last) last.next = undefined;
  }

  private slot(view: DataView, pos: number): number {
    const hash =
      view.getInt32(pos, true) ^
      Math.imul(view.getInt32(pos + 8, true), 0x2c1b3c6d) ^
      Math.imul(view.getInt32(pos + 12, true), 0x1b873593) ^
      Math.imul(view.getInt32(pos + 16, true), 0x297a2d39);
    return (hash ^ (hash >>> 11) ^ (hash >>> 21)) & MASK;
  }
}

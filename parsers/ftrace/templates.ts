/**
 * Lines of one probe differ in a few digits only. A template holds what is the same in them, word by word, and where the
 * digits are; the next line of that probe is compared with it and its digits read, without looking at a name again.
 *
 *     gup_put_folio: (gup_put_folio+0x0/0x90) folio=0xffffea0000180b00 refs=1 flags=0x80000
 *     `------------------ same --------------------´^ 16 digits      `----´^`-------´^
 *
 * A template never guesses: it is made from a line that events/probe.ts has decoded, takes only arguments whose meaning
 * does not depend on each other, and gives up (-1) on any difference; the general way then decodes the line.
 */

import {EventKind, PageName, type TraceEvent} from '../../src/events/event.js';
import {EQUALS, HEX, hasHexPrefix, hashBytes, LF, MINUS, RPAREN, SPACE} from '../bytes.js';
import {Key, keyOf} from '../events/keys.js';
import {ReturnShape, type ProbeSpec} from '../events/probe-table.js';
import type {EventEntry} from '../events/table.js';

/** Kinds of digits. */
const Digits = {end: 0, pointer: 1, hex: 2, decimal: 3} as const;

/** Where they go. */
const Target = {none: 0, page: 1, folio: 2, vmemmap: 3, refs: 4, nr: 5, flags: 6, makeDirty: 7, ret: 8} as const;

export class LineTemplate {
  private readonly words: Int32Array;
  private readonly lengths: number[] = [];
  private readonly digits: number[] = [];
  private readonly targets: number[] = [];
  hasNr = false;

  constructor(
    readonly entry: EventEntry,
    readonly kind: EventKind,
    literals: readonly Uint8Array[],
    slots: readonly (readonly [number, number])[],
  ) {
    const words: number[] = [];
    for (let i = 0; i < literals.length; i++) {
      const bytes = literals[i]!;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      this.lengths.push(bytes.length);
      for (let at = 0; at + 4 <= bytes.length; at += 4) words.push(view.getInt32(at, true));
      // the last four bytes again, whatever the length
      if (bytes.length & 3) words.push(view.getInt32(bytes.length - 4, true));
      this.digits.push(slots[i]![0]);
      this.targets.push(slots[i]![1]);
      if (slots[i]![1] === Target.nr) this.hasNr = true;
    }
    this.words = Int32Array.from(words);
  }

  /** The line's event from its name on, at `pos`. Answers the newline's position, or -1. */
  read(buf: Uint8Array, view: DataView, pos: number, ev: TraceEvent): number {
    const {words, lengths, digits, targets, kind} = this;
    ev.begin(kind);
    let nr = kind === EventKind.UnpinCall ? 1 : 0;
    let at = 0;
    for (let i = 0; i < lengths.length; i++) {
      const length = lengths[i]!;
      const whole = pos + (length & ~3);
      for (; pos < whole; pos += 4) if (view.getInt32(pos, true) !== words[at++]) return -1;
      if (length & 3) {
        pos += length & 3;
        if (view.getInt32(pos - 4, true) !== words[at++]) return -1;
      }
      const target = targets[i]!;
      switch (digits[i]) {
        case Digits.end:
          if (buf[pos] !== LF) return -1;
          ev.nr = nr;
          return pos;
        case Digits.pointer: {
          const hi = hex8(buf, pos);
          const lo = hex8(buf, pos + 8);
          if (hi < 0 || lo < 0) return -1;
          pos += 16;
          if (target === Target.vmemmap) {
            ev.vmemmapHi = hi;
            ev.vmemmapLo = lo;
            break;
          }
          // bit 63 set, and no error number
          if (hi < 0x80000000 || hi === 0xffffffff) return -1;
          ev.ptrHi = hi;
          ev.ptrLo = lo;
          ev.pageName = PageName.pointer;
          ev.mayBeTail = target === Target.page ? 1 : 0;
          if (kind === EventKind.GrabReturn) {
            ev.hasRet = 1;
            ev.ok = 1;
          }
          break;
        }
        default: {
          let value = 0;
          const start = pos;
          if (digits[i] === Digits.hex) {
            let digit: number;
            while ((digit = HEX[buf[pos]!]!) >= 0) {
              value = (value << 4) | digit;
              pos++;
            }
            if (pos === start || pos > start + 7) return -1;
          } else {
            const negative = buf[pos] === MINUS && target === Target.ret;
            if (negative) pos++;
            const first = pos;
            let digit: number;
            while ((digit = buf[pos]! - 48) >>> 0 <= 9) {
              value = value * 10 + digit;
              pos++;
            }
            if (pos === first || pos > first + 9) return -1;
            if (negative) value = -value;
          }
          switch (target) {
            case Target.refs:
              ev.refs = value;
              break;
            case Target.nr:
              nr = value;
              if (kind === EventKind.Grab || kind === EventKind.GupPut || kind === EventKind.AddPin) ev.refs = value;
              break;
            case Target.flags:
              ev.gupFlags = value;
              ev.hasFlags = 1;
              break;
            case Target.makeDirty:
              ev.makeDirty = value === 0 ? 0 : 1;
              break;
            case Target.ret:
              ev.ret = value;
              ev.hasRet = 1;
              ev.ok = value < 0 ? 0 : 1;
              break;
          }
        }
      }
    }
    return -1;
  }
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

/** Arguments a template takes, and what they are to it. */
const TARGET_OF_KEY: Partial<Record<number, number>> = {
  [Key.page]: Target.page,
  [Key.ptr]: Target.page,
  [Key.folio]: Target.folio,
  [Key.vmemmap]: Target.vmemmap,
  [Key.refs]: Target.refs,
  [Key.nr]: Target.nr,
  [Key.flags]: Target.flags,
  [Key.gupFlags]: Target.flags,
  [Key.makeDirty]: Target.makeDirty,
  [Key.ret]: Target.ret,
};

/**
 * A template of the probe line whose name begins at `start` and whose arguments, after the bracket, at `args`; `end` is
 * its newline. Undefined when it holds anything that a template does not take.
 */
export function templateOf(
  entry: EventEntry,
  spec: ProbeSpec,
  kind: EventKind,
  buf: Uint8Array,
  start: number,
  args: number,
  end: number,
): LineTemplate | undefined {
  if (kind >= EventKind.DmaMapEntry || kind === EventKind.DmaUnmap || kind === EventKind.Other) return undefined;
  if (buf[args - 1] !== RPAREN) return undefined;
  const literals: Uint8Array[] = [];
  const slots: [number, number][] = [];
  const seen = new Set<number>();
  let literal = start;
  let pos = args;
  while (pos < end) {
    if (buf[pos] !== SPACE) return undefined;
    const name = pos + 1;
    let equals = name;
    while (equals < end && buf[equals] !== EQUALS && buf[equals] !== SPACE) equals++;
    if (equals === name || buf[equals] !== EQUALS) return undefined;
    const target = TARGET_OF_KEY[keyOf(buf, name, equals, hashBytes(buf, name, equals))];
    // page= and folio= together, refs= and nr= together: the first or the last counts, which is not for here
    const group = target === Target.folio ? Target.page : target === Target.nr ? Target.refs : target;
    if (target === undefined || seen.has(group!)) return undefined;
    seen.add(group!);
    if (target === Target.ret && (spec.returns !== ReturnShape.plain || kind === EventKind.GrabReturn))
      return undefined;
    let value = equals + 1;
    pos = value;
    while (pos < end && buf[pos] !== SPACE) pos++;
    const prefixed = hasHexPrefix(buf, value, pos);
    if (prefixed) value += 2;
    const digits = pos - value;
    const pointer = target === Target.page || target === Target.folio || target === Target.vmemmap;
    if (pointer ? !prefixed || digits !== 16 : digits === 0 || digits > 7) return undefined;
    const signedHex = prefixed && target === Target.ret;
    if (signedHex) return undefined;
    for (let i = value; i < pos; i++) {
      if (prefixed ? HEX[buf[i]!]! < 0 : (buf[i]! - 48) >>> 0 > 9) return undefined;
    }
    literals.push(new Uint8Array(buf.subarray(literal, value)));
    slots.push([pointer ? Digits.pointer : prefixed ? Digits.hex : Digits.decimal, target]);
    literal = pos;
  }
  if (slots.length === 0) return undefined;
  literals.push(new Uint8Array(0));
  slots.push([Digits.end, Target.none]);
  if (literals.some((bytes, i) => bytes.length < 4 && i < literals.length - 1)) return undefined;
  return new LineTemplate(entry, kind, literals, slots);
}

/** Templates made before it is plain that this trace's lines do not repeat. */
const MAX_MADE = 4096;
const MASK = 511;

/** Templates by a few words of the line. */
export class Templates {
  private readonly slots: (LineTemplate | undefined)[] = Array.from({length: MASK + 1}, () => undefined);
  private made = 0;

  at(view: DataView, pos: number): LineTemplate | undefined {
    return this.slots[this.slot(view, pos)];
  }

  put(view: DataView, pos: number, template: LineTemplate): void {
    if (this.made >= MAX_MADE) return;
    this.made++;
    this.slots[this.slot(view, pos)] = template;
  }

  private slot(view: DataView, pos: number): number {
    const hash =
      view.getInt32(pos, true) ^
      Math.imul(view.getInt32(pos + 8, true), 0x2c1b3c6d) ^
      Math.imul(view.getInt32(pos + 16, true), 0x297a2d39) ^
      Math.imul(view.getInt32(pos + 24, true), 0x1b873593);
    return (hash ^ (hash >>> 11) ^ (hash >>> 21)) & MASK;
  }
}

/**
 * Texts met before, each with some numbers that it was told to mean: a trace repeats a few hundred of them. They are found
 * by a hash of a few of their words and always compared whole, so that a hit is that text again.
 *
 * Eight bytes are compared at once, as a double (what DataView.getFloat64(pos, true) reads): two texts are the same doubles
 * only if they are the same bytes, as long as they hold no NUL (a zero of either sign) and no 0x7f or 0xff (no number).
 */

import {HEX, isDigit} from '../bytes.js';

/** By two characters as getUint16(pos, true) reads them: the byte that two hexadecimal digits make, or -1. */
export const HEX2 = new Int16Array(65536).fill(-1);
/** The same of two decimal digits. */
export const DEC2 = new Int8Array(65536).fill(-1);
const digits = Array.from(HEX.keys()).filter((byte) => HEX[byte]! >= 0);
for (const high of digits) {
  for (const low of digits) {
    HEX2[high | (low << 8)] = HEX[high]! * 16 + HEX[low]!;
    if (isDigit(high) && isDigit(low)) DEC2[high | (low << 8)] = HEX[high]! * 10 + HEX[low]!;
  }
}

/** Whether the text can be compared so. */
export function comparable(buf: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (buf[i] === 0 || buf[i] === 0x7f || buf[i] === 0xff) return false;
  return true;
}

export class Texts {
  /** length of a slot's text, 0 where there is none */
  readonly lengths: Uint8Array;
  /** numbers of the texts, `width` by slot */
  readonly values: Int32Array;
  /** a text's words; the last is its last eight bytes, whatever its length */
  private readonly words: Float64Array;

  /** `slots` is a power of two; texts of `doubles` * 8 bytes at most are kept. */
  constructor(
    private readonly slots: number,
    private readonly doubles: number,
    readonly width: number,
  ) {
    this.lengths = new Uint8Array(slots);
    this.words = new Float64Array(slots * doubles);
    this.values = new Int32Array(slots * width);
  }

  /** The length of the slot's text if it stands at `pos`, else 0. */
  at(view: DataView, pos: number, slot: number): number {
    const length = this.lengths[slot]!;
    const {words} = this;
    let word = slot * this.doubles;
    const last = pos + length - 8;
    if (last < pos) return 0;
    for (let here = pos; here < last; here += 8) if (view.getFloat64(here, true) !== words[word++]) return 0;
    return view.getFloat64(last, true) === words[word] ? length : 0;
  }

  /** The slot of the text at `pos`, one of the two that its hash gives it, or -1. */
  find(view: DataView, pos: number, hash: number): number {
    const slot = this.slotOf(hash);
    const {words} = this;
    let word = slot * this.doubles;
    const last = pos + this.lengths[slot]! - 8;
    // most often it is the first of them
    let here = pos;
    while (here < last && view.getFloat64(here, true) === words[word]) {
      here += 8;
      word++;
    }
    if (last >= pos && here >= last && view.getFloat64(last, true) === words[word]) return slot;
    return this.at(view, pos, slot ^ 1) > 0 ? slot ^ 1 : -1;
  }

  /** Keeps the text `[start, end)` under its hash. Answers the slot for its numbers, or -1 if it is none that is kept. */
  put(buf: Uint8Array, view: DataView, start: number, end: number, hash: number): number {
    const length = end - start;
    if (length < 8 || length > 8 * this.doubles || length > 255 || !comparable(buf, start, end)) return -1;
    const slot = this.slotOf(hash);
    // the older text of the two goes
    if (this.lengths[slot] !== 0) this.move(slot, slot ^ 1);
    let word = slot * this.doubles;
    for (let here = start; here < end - 8; here += 8) this.words[word++] = view.getFloat64(here, true);
    this.words[word] = view.getFloat64(end - 8, true);
    this.lengths[slot] = length;
    return slot;
  }

  private move(from: number, to: number): void {
    const {doubles, width} = this;
    this.words.copyWithin(to * doubles, from * doubles, (from + 1) * doubles);
    this.values.copyWithin(to * width, from * width, (from + 1) * width);
    this.lengths[to] = this.lengths[from]!;
  }

  private slotOf(hash: number): number {
    return (hash ^ (hash >>> 11) ^ (hash >>> 21)) & (this.slots - 1);
  }

  clear(): void {
    this.lengths.fill(0);
  }
}

/** Values of fields in a record. The caller has seen to it that the field lies within the record. */
import {Lie} from './format.js';

const WORD = 4294967296;

/** A number; of 64 bits it is exact below 2^53. */
export function numberAt(view: DataView, at: number, lie: number, little: boolean): number {
  switch (lie) {
    case Lie.u64:
      return little
        ? view.getUint32(at + 4, true) * WORD + view.getUint32(at, true)
        : view.getUint32(at, false) * WORD + view.getUint32(at + 4, false);
    case Lie.i64:
      return little
        ? view.getInt32(at + 4, true) * WORD + view.getUint32(at, true)
        : view.getInt32(at, false) * WORD + view.getUint32(at + 4, false);
    case Lie.u32:
      return view.getUint32(at, little);
    case Lie.i32:
      return view.getInt32(at, little);
    case Lie.u16:
      return view.getUint16(at, little);
    case Lie.i16:
      return view.getInt16(at, little);
    case Lie.u8:
      return view.getUint8(at);
    case Lie.i8:
      return view.getInt8(at);
    default:
      return NaN;
  }
}

/** Low 32 bits of a number of any size. */
export function lowAt(view: DataView, at: number, lie: number, little: boolean): number {
  if (lie === Lie.u64 || lie === Lie.i64) return view.getUint32(little ? at : at + 4, little);
  return numberAt(view, at, lie, little) >>> 0;
}

/** High 32 bits: 0 of a number of 32 bits and less. */
export function highAt(view: DataView, at: number, lie: number, little: boolean): number {
  if (lie === Lie.u64 || lie === Lie.i64) return view.getUint32(little ? at + 4 : at, little);
  return 0;
}

/** Where an array or a text lies. */
export class Range {
  start = 0;
  end = 0;

  /**
   * Finds the bytes of a field at `at`, of a record in `[base, stop)`. False where they lie outside of the record, as a
   * damaged one's do.
   */
  find(view: DataView, at: number, lie: number, size: number, base: number, stop: number, little: boolean): boolean {
    if (lie === Lie.inline) {
      this.start = at;
      this.end = size === 0 ? stop : at + size;
      return this.end <= stop;
    }
    const loose = size === 2;
    const word = loose ? view.getUint16(at, little) : view.getUint32(at, little);
    this.start = (lie === Lie.dataLoc ? base : at + size) + (word & 0xffff);
    this.end = loose ? stop : this.start + (word >>> 16);
    if (this.start <= stop && this.end <= stop) return true;
    this.start = this.end = stop;
    return false;
  }
}

/** Where a text in `[start, end)` ends: at its NUL. */
export function textEnd(bytes: Uint8Array, start: number, end: number): number {
  let stop = start;
  while (stop < end && bytes[stop] !== 0) stop++;
  return stop;
}

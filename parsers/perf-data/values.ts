/** Values in the records of a perf.data. */
import type {Bytes} from '../records/piece.js';

const NAME_MAX = 64;

/** An u64 as a number: exact below 2^53. */
export function u64({view, little}: Bytes, at: number): number {
  return view.getUint32(little ? at + 4 : at, little) * 4294967296 + view.getUint32(little ? at : at + 4, little);
}

export function bigU64({view, little}: Bytes, at: number): bigint {
  return view.getBigUint64(at, little);
}

/** A name up to its NUL, copied. */
export function nameIn(bytes: Uint8Array, start: number, end: number, most = NAME_MAX): Uint8Array {
  let stop = start;
  while (stop < end && stop - start < most && bytes[stop] !== 0) stop++;
  return bytes.subarray(start, stop);
}

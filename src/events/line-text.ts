/**
 * Lines kept as evidence. Of a hundred lines that could become evidence one does, and a string of each would be a third
 * of all memory traffic: where the input can be read again, only the line's place is kept.
 */
import type {TraceEvent} from './event.js';

/** The text of a line, or its place in an input that can be read again: byte offset and length in one exact number. */
export type LineText = string | number;

/** Longest line kept as evidence, in bytes. */
export const TEXT_MAX = 2000;
/** More than any length: places are exact up to offsets of 4 TiB. */
const LENGTHS = 2048;

/** The place of an event's line. */
export function placeOf(ev: TraceEvent): number {
  return ev.offset * LENGTHS + Math.min(ev.lineEnd - ev.lineStart, TEXT_MAX);
}

export function offsetOf(place: number): number {
  return Math.floor(place / LENGTHS);
}

export function lengthOf(place: number): number {
  return place % LENGTHS;
}

/**
 * From chunks to whole lines, without copying what is whole already: a reader is given regions of complete lines, and
 * only the line that a chunk boundary cuts is put together in a buffer of its own.
 */

import {LF, text} from '../bytes.js';
import {FIRST_UNRECOGNISED, UNRECOGNISED_BYTES, type ReaderCounters, type TraceReader} from '../form.js';

/** Longest line read, in bytes. A longer one is counted as unrecognised and skipped. */
export const MAX_LINE = 1 << 20;

const NEWLINE = Uint8Array.of(LF);
const EMPTY = new Uint8Array(0);

export abstract class LineReader implements TraceReader {
  abstract readonly counters: ReaderCounters;
  /** the line that the last chunk ended in */
  private carry = new Uint8Array(4096);
  private carried = 0;
  /** within a line that is too long: drop bytes up to its end */
  private skipping = false;
  /** the beginning of that line, to be shown */
  private tooLongHead = EMPTY;
  /** bytes of the input before the next chunk */
  private offset = 0;
  private pushed: Uint8Array | undefined;
  private pushedPlain: Uint8Array = new Uint8Array(0);

  /**
   * Reads `buf[start..stop)`, which are complete lines: `buf[stop - 1]` is a newline. `offset` is the place in the input
   * of `buf[0]`.
   */
  protected abstract region(buf: Uint8Array, start: number, stop: number, offset: number): void;

  /** Text of other programs, of which only some lines are the trace's, may have NULs (a serial console at boot). */
  protected readonly wholeOnly: boolean = true;

  /**
   * The regions of `buf[start..stop)` between lines that hold a NUL. No tool prints one: a hole of zeroes (a file after a
   * crash) made one line of the beginning of a line and the end of a later one, and took what stood between them.
   */
  private regions(buf: Uint8Array, start: number, stop: number, offset: number): void {
    if (this.wholeOnly) {
      const finder = Buffer.from(buf.buffer, buf.byteOffset, stop);
      for (let nul = finder.indexOf(0, start); nul >= 0; nul = finder.indexOf(0, start)) {
        const from = finder.lastIndexOf(LF, nul) + 1;
        const end = finder.indexOf(LF, nul);
        if (from > start) this.region(buf, start, from, offset);
        this.counters.lines++;
        this.holed(buf, from, end);
        start = end + 1;
      }
    }
    if (start < stop) this.region(buf, start, stop, offset);
  }

  push(bytes: Uint8Array, length: number): void {
    const chunk = this.plain(bytes);
    let pos = 0;
    if (this.carried > 0 || this.skipping) {
      const newline = chunk.indexOf(LF);
      if (newline < 0 || newline >= length) {
        this.keep(chunk, 0, length);
        this.offset += length;
        return;
      }
      pos = newline + 1;
      this.finishCarried(chunk, pos);
    }
    const last = chunk.lastIndexOf(LF, length - 1);
    if (last >= pos) {
      this.regions(chunk, pos, last + 1, this.offset);
      pos = last + 1;
    }
    this.keep(chunk, pos, length);
    this.offset += length;
  }

  /** A Buffer has another hidden class than a Uint8Array; scanners that meet both run at half the speed. */
  private plain(bytes: Uint8Array): Uint8Array {
    if (this.pushed !== bytes) {
      this.pushed = bytes;
      this.pushedPlain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    return this.pushedPlain;
  }

  stopped(): void {
    this.carried = 0;
    this.skipping = false;
  }

  end(): void {
    if (this.carried === 0 && !this.skipping) return;
    this.counters.lastLineCut = true;
    this.finishCarried(NEWLINE, 1);
  }

  /** The rest of the carried line is `chunk[0..length)`, its newline included. */
  private finishCarried(chunk: Uint8Array, length: number): void {
    const offset = this.offset - this.carried;
    this.keep(chunk, 0, length);
    if (this.skipping) {
      this.skipping = false;
      this.counters.lines++;
      this.tooLong(this.tooLongHead, 0, this.tooLongHead.length);
    } else {
      const stop = this.carried;
      this.carried = 0;
      this.regions(this.carry, 0, stop, offset);
    }
  }

  private keep(chunk: Uint8Array, start: number, stop: number): void {
    if (this.skipping) return;
    const length = this.carried + stop - start;
    // the newline is not of the line's length
    if (length > MAX_LINE + (stop > start && chunk[stop - 1] === LF ? 1 : 0)) {
      this.skipping = true;
      const head = new Uint8Array(UNRECOGNISED_BYTES);
      const carried = Math.min(this.carried, UNRECOGNISED_BYTES);
      head.set(this.carry.subarray(0, carried));
      // A line this long is longer than what is kept of it, here or in the chunk.
      head.set(chunk.subarray(start, Math.min(stop, start + UNRECOGNISED_BYTES - carried)), carried);
      this.tooLongHead = head;
      this.carried = 0;
      return;
    }
    if (length > this.carry.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.carry.length));
      grown.set(this.carry.subarray(0, this.carried));
      this.carry = grown;
    }
    this.carry.set(chunk.subarray(start, stop), this.carried);
    this.carried = length;
  }

  /** Tells that the current line was not understood, and so what it said is missing. */
  protected abstract unread(): void;

  /** Counts the current line (number `counters.lines`) as not understood. */
  protected unrecognised(buf: Uint8Array, start: number, end: number): void {
    const counters = this.counters;
    this.unread();
    counters.unrecognised++;
    if (counters.firstUnrecognised.length < FIRST_UNRECOGNISED) {
      const stop = Math.min(end, start + UNRECOGNISED_BYTES);
      counters.firstUnrecognised.push({line: counters.lines, text: text(buf, start, stop)});
    }
  }

  /** A line with a hole in it: of which event it ends, nothing tells. */
  protected holed(buf: Uint8Array, start: number, end: number): void {
    this.unrecognised(buf, start, end);
  }

  protected tooLong(buf: Uint8Array, start: number, end: number): void {
    this.counters.tooLong++;
    this.unrecognised(buf, start, end);
  }
}

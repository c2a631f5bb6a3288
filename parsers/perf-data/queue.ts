/**
 * Records in order of time. perf record writes ring buffer after ring buffer: each is in order, the file is not. Each
 * FINISHED_ROUND promises that what comes after it is later than what had come at the round before; records that break the
 * promise by one round more are still put into their place here.
 */
import {mergeRuns} from '../../src/base/merge-runs.js';
import type {Piece} from '../records/piece.js';
import type {Attr} from './attr.js';

/** Most bytes of records that wait: all ring buffers of a machine, and more. */
const WAITING_MAX_BYTES = 512 * 2 ** 20;
const NONE = new Int32Array(0);

export interface Delivery {
  deliver(piece: Piece, at: number, size: number, t: number, attr: Attr | undefined): void;
}

export class Rounds {
  private times = new Float64Array(4096);
  private places = new Int32Array(4096);
  private sizes = new Int32Array(4096);
  private readonly pieces: (Piece | undefined)[] = [];
  private readonly attrs: (Attr | undefined)[] = [];
  private waiting = 0;
  /** of those that wait, which are delivered now, in order, and how many of them were */
  private order: Int32Array = NONE;
  private leaving = 0;
  private gone = 0;
  private bytes = 0;
  private newest = -Infinity;
  /** newest times at the last rounds, the older first */
  private marks: [number, number] = [-Infinity, -Infinity];
  private flushed = -Infinity;
  /** records that came later than could be mended */
  late = 0;
  /** more records waited than may: they were put into order among themselves only */
  overflowed = false;

  constructor(private readonly to: Delivery) {}

  /** the latest time so far, for records that tell none */
  get latest(): number {
    return this.newest;
  }

  add(piece: Piece, at: number, size: number, t: number, attr: Attr | undefined): void {
    if (this.delivering) this.deliver(Infinity);
    const n = this.waiting;
    if (n === this.times.length) this.grow();
    this.times[n] = t;
    this.places[n] = at;
    this.sizes[n] = size;
    this.pieces[n] = piece;
    this.attrs[n] = attr;
    piece.waiting++;
    this.waiting = n + 1;
    this.bytes += size;
    if (t > this.newest) this.newest = t;
    // what perf made up has no time: it is not late, wherever it stands
    else if (t < this.flushed && t !== -Infinity) this.late++;
    if (this.bytes > WAITING_MAX_BYTES) {
      this.overflowed = true;
      this.release(Infinity);
    }
  }

  private grow(): void {
    const times = new Float64Array(this.times.length * 2);
    times.set(this.times);
    this.times = times;
    const places = new Int32Array(times.length);
    places.set(this.places);
    this.places = places;
    const sizes = new Int32Array(times.length);
    sizes.set(this.sizes);
    this.sizes = sizes;
  }

  /** A round has ended. */
  round(): void {
    this.release(this.marks[0]);
    this.marks = [this.marks[1], this.newest];
  }

  /** Records are to be delivered; adding others delivers all of them. */
  get delivering(): boolean {
    return this.gone < this.leaving;
  }

  /** What is not later than `limit` is to be delivered. */
  release(limit: number): void {
    if (this.delivering) this.deliver(Infinity);
    const {times, waiting} = this;
    const early = new Int32Array(waiting);
    let m = 0;
    for (let i = 0; i < waiting; i++) if (times[i]! <= limit) early[m++] = i;
    this.leaving = m;
    this.gone = 0;
    if (m > 0) this.order = mergeRuns(early, m, times);
  }

  /** Delivers the next `most` of them. */
  deliver(most: number): void {
    const {times, places, sizes, pieces, attrs, order} = this;
    const until = Math.min(this.leaving, this.gone + most);
    for (let k = this.gone; k < until; k++) {
      const i = order[k]!;
      const piece = pieces[i]!;
      this.bytes -= sizes[i]!;
      this.to.deliver(piece, places[i]!, sizes[i]!, times[i]!, attrs[i]);
      piece.waiting--;
    }
    this.gone = until;
    if (!this.delivering) this.closeUp();
  }

  /** Those that were not delivered move together. */
  private closeUp(): void {
    const {times, places, sizes, pieces, attrs, waiting, order} = this;
    const limit = times[order[this.leaving - 1]!]!;
    if (limit > this.flushed) this.flushed = limit;
    let kept = 0;
    for (let i = 0; i < waiting; i++) {
      if (times[i]! <= limit) continue;
      times[kept] = times[i]!;
      places[kept] = places[i]!;
      sizes[kept] = sizes[i]!;
      pieces[kept] = pieces[i]!;
      attrs[kept] = attrs[i];
      kept++;
    }
    // Not cut off: growing them anew with each round would cost more than all else here.
    pieces.fill(undefined, kept, waiting);
    attrs.fill(undefined, kept, waiting);
    this.waiting = kept;
    this.leaving = this.gone = 0;
    this.order = NONE;
  }
}

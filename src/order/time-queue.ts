/**
 * Rows in order of time; of equal times, in order of arrival.
 *
 * Tools print nearly in order: what comes in order stands in a ring, at no cost, and only what comes late goes into a heap.
 */
export class TimeQueue {
  // by row
  private times = new Float64Array(1024);
  private orders = new Float64Array(1024);
  /** rows whose times do not fall, from `first` on */
  private ring = new Int32Array(1024);
  private first = 0;
  private inRing = 0;
  /** the time of the ring's last row; what comes before it goes into the heap */
  private lastTime = -Infinity;
  private readonly heap: number[] = [];
  private arrived = 0;

  get length(): number {
    return this.inRing + this.heap.length;
  }

  push(row: number, t: number): void {
    if (row >= this.times.length) {
      this.times = grown(this.times, row + 1);
      this.orders = grown(this.orders, row + 1);
    }
    this.times[row] = t;
    this.orders[row] = this.arrived++;
    if (this.inRing === 0 || t >= this.lastTime) {
      if (this.inRing === this.ring.length) this.growRing();
      this.ring[(this.first + this.inRing++) & (this.ring.length - 1)] = row;
      this.lastTime = t;
    } else this.sift(row);
  }

  /** Time of the earliest row; Infinity when there is none. */
  earliest(): number {
    const late = this.heap.length > 0 ? this.times[this.heap[0]!]! : Infinity;
    return this.inRing > 0 ? Math.min(late, this.times[this.ring[this.first]!]!) : late;
  }

  /** Takes the earliest row out. Ask only while there is one. */
  pop(): number {
    const {heap, ring} = this;
    if (this.inRing > 0 && (heap.length === 0 || this.before(ring[this.first]!, heap[0]!))) {
      const row = ring[this.first]!;
      this.first = (this.first + 1) & (ring.length - 1);
      this.inRing--;
      return row;
    }
    return this.popHeap();
  }

  private before(a: number, b: number): boolean {
    const difference = this.times[a]! - this.times[b]!;
    return difference < 0 || (difference === 0 && this.orders[a]! < this.orders[b]!);
  }

  private growRing(): void {
    const {ring} = this;
    this.ring = new Int32Array(ring.length * 2);
    this.ring.set(ring.subarray(this.first));
    this.ring.set(ring.subarray(0, this.first), ring.length - this.first);
    this.first = 0;
  }

  private sift(row: number): void {
    const {heap} = this;
    let at = heap.length;
    heap.push(row);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.before(row, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = row;
  }

  private popHeap(): number {
    const {heap} = this;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.before(heap[child + 1]!, heap[child]!)) child++;
      if (!this.before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function grown(from: Float64Array, least: number): Float64Array<ArrayBuffer> {
  const to = new Float64Array(Math.max(least, from.length * 2));
  to.set(from);
  return to;
}

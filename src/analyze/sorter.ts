/**
 * Puts events of tools that print out of time order (perf script, bpftrace), or of several traces, into order.
 *
 * A bounded heap: an event leaves it when enough later ones have come, or when every input has got past its time.
 */
import type {EventSink, Loss, TraceEvent} from '../model/event.js';
import {HeldEvents} from './held-events.js';

/** Events held at most: perf is out of order by tens of events, bpftrace by what its per-CPU buffers hold. */
export const WINDOW_EVENTS = 16_384;
/** The same for several inputs, which advance in turn. */
const MERGE_EVENTS = 400_000;
/** Bytes of lines and stacks held at most: real ones are a hundred times shorter than lines may be. */
const HELD_BYTES = 1 << 27;
/** Most bytes kept of a frame, and of a stack; the model keeps 64 frames. */
const FRAME_BYTES = 256;
const STACK_BYTES = 64 * FRAME_BYTES;
const LF = 10;

interface Held {
  t: number;
  /** order of arrival, among equal times */
  order: number;
  /** row of the event in HeldEvents; -1: a loss */
  row: number;
  loss: Loss | undefined;
  /** frames of its stack, a newline after each */
  frames: Uint8Array | undefined;
}

export class Sorter implements EventSink {
  private readonly heap: Held[] = [];
  private readonly events = new HeldEvents();
  private arrived = 0;
  private lastHeld: Held | undefined;
  private latest = -Infinity;
  /** events that came later than the window could mend */
  tooLate = 0;
  private released = -Infinity;
  private stackBytes = 0;
  /** the stack that is being read */
  private readonly stack = new Uint8Array(STACK_BYTES);
  private stackLength = 0;

  constructor(
    private readonly sink: EventSink,
    private readonly inputs: number,
  ) {}

  event(ev: TraceEvent): void {
    if (ev.t > this.latest) this.latest = ev.t;
    if (ev.t < this.released) this.tooLate++;
    this.lastHeld = {t: ev.t, order: this.arrived++, row: this.events.put(ev), loss: undefined, frames: undefined};
    this.push(this.lastHeld);
    const limit = this.inputs > 1 ? MERGE_EVENTS : WINDOW_EVENTS;
    while (this.heap.length > limit || (this.heldBytes() > HELD_BYTES && this.heap.length > 1)) this.release();
  }

  /** Every input has got past `t`: what is earlier can go. */
  passed(t: number): void {
    while (this.heap.length > 0 && this.heap[0]!.t < t) this.release();
  }

  loss(loss: Loss): void {
    this.push({t: this.latest, order: this.arrived++, row: -1, loss: {...loss}, frames: undefined});
  }

  fact(input: number, name: string, value: string): void {
    this.sink.fact(input, name, value);
  }

  stackBegin(): boolean {
    if (!this.lastHeld || this.lastHeld.frames) return false;
    this.stackLength = 0;
    return true;
  }

  stackFrame(buf: Uint8Array, start: number, end: number): void {
    const length = Math.min(end - start, FRAME_BYTES);
    if (this.stackLength + length >= this.stack.length) return;
    this.stack.set(buf.subarray(start, start + length), this.stackLength);
    this.stackLength += length;
    this.stack[this.stackLength++] = LF;
  }

  stackEnd(): void {
    if (this.lastHeld) {
      this.lastHeld.frames = this.stack.slice(0, this.stackLength);
      this.stackBytes += this.stackLength;
    }
    this.lastHeld = undefined;
  }

  end(): void {
    while (this.heap.length > 0) this.release();
  }

  private heldBytes(): number {
    return this.events.allocated + this.stackBytes;
  }

  private release(): void {
    const held = this.pop();
    if (held.t > this.released) this.released = held.t;
    if (held === this.lastHeld) this.lastHeld = undefined; // its stack would come too late
    if (held.loss) {
      this.sink.loss(held.loss);
      return;
    }
    const event = this.events.take(held.row);
    this.stackBytes -= held.frames?.length ?? 0;
    this.sink.event(event);
    if (!held.frames || !this.sink.stackBegin(event.cpu, event.pid)) return;
    const {frames} = held;
    for (let start = 0; start < frames.length;) {
      const end = frames.indexOf(LF, start);
      this.sink.stackFrame(frames, start, end);
      start = end + 1;
    }
    this.sink.stackEnd();
  }

  private push(held: Held): void {
    const {heap} = this;
    let at = heap.length;
    heap.push(held);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(held, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = held;
  }

  private pop(): Held {
    const {heap} = this;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function before(a: Held, b: Held): boolean {
  return a.t < b.t || (a.t === b.t && a.order < b.order);
}

/**
 * Puts events of tools that print out of time order (perf script, bpftrace), or of several traces, into order.
 *
 * A bounded heap: an event leaves it when enough later ones have come, or when every input has got past its time.
 */
import type {EventSink, Loss, TraceEvent} from '../model/event.js';

/** Events held at most: perf is out of order by tens of events, bpftrace by what its per-CPU buffers hold. */
export const WINDOW_EVENTS = 16_384;
/** The same for several inputs, which advance in turn. */
const MERGE_EVENTS = 400_000;
/** Bytes of lines and stacks held at most: real ones are a hundred times shorter than lines may be. */
const HELD_BYTES = 1 << 26;
/** Frames of one stack that are held; the model keeps as many. */
const FRAMES_MAX = 64;

interface Held {
  t: number;
  /** order of arrival, among equal times */
  order: number;
  event: TraceEvent | undefined;
  loss: Loss | undefined;
  frames: {bytes: Uint8Array}[] | undefined;
}

export class Sorter implements EventSink {
  private readonly heap: Held[] = [];
  private arrived = 0;
  private lastHeld: Held | undefined;
  private latest = -Infinity;
  /** events that came later than the window could mend */
  tooLate = 0;
  private released = -Infinity;
  private heldBytes = 0;

  constructor(
    private readonly sink: EventSink,
    private readonly inputs: number,
  ) {}

  event(ev: TraceEvent): void {
    if (ev.t > this.latest) this.latest = ev.t;
    if (ev.t < this.released) this.tooLate++;
    this.lastHeld = {t: ev.t, order: this.arrived++, event: cloneEvent(ev), loss: undefined, frames: undefined};
    this.push(this.lastHeld);
    const limit = this.inputs > 1 ? MERGE_EVENTS : WINDOW_EVENTS;
    this.heldBytes += this.lastHeld.event!.buf.length;
    while (this.heap.length > limit || (this.heldBytes > HELD_BYTES && this.heap.length > 1)) this.release();
  }

  /** Every input has got past `t`: what is earlier can go. */
  passed(t: number): void {
    while (this.heap.length > 0 && this.heap[0]!.t < t) this.release();
  }

  loss(loss: Loss): void {
    this.push({t: this.latest, order: this.arrived++, event: undefined, loss: {...loss}, frames: undefined});
  }

  fact(input: number, name: string, value: string): void {
    this.sink.fact(input, name, value);
  }

  stackBegin(): boolean {
    if (!this.lastHeld || this.lastHeld.frames) return false;
    this.lastHeld.frames = [];
    return true;
  }

  stackFrame(buf: Uint8Array, start: number, end: number): void {
    const frames = this.lastHeld?.frames;
    if (!frames || frames.length >= FRAMES_MAX) return;
    const bytes = bytesOf(buf, start, Math.min(end, start + 256));
    this.heldBytes += bytes.length;
    frames.push({bytes});
  }

  stackEnd(): void {
    this.lastHeld = undefined;
  }

  end(): void {
    while (this.heap.length > 0) this.release();
  }

  private release(): void {
    const held = this.pop();
    if (held.t > this.released) this.released = held.t;
    if (held.loss) {
      this.sink.loss(held.loss);
      return;
    }
    const event = held.event!;
    this.heldBytes -= event.buf.length;
    for (const {bytes} of held.frames ?? []) this.heldBytes -= bytes.length;
    this.sink.event(event);
    if (!held.frames || !this.sink.stackBegin(event.cpu, event.pid)) return;
    for (const {bytes} of held.frames) this.sink.stackFrame(bytes, 0, bytes.length);
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

/** A copy of bytes. A Buffer's own slice() would share them with a chunk that is soon written again. */
function bytesOf(buf: Uint8Array, start: number, end: number): Uint8Array {
  return Uint8Array.prototype.slice.call(buf, start, end);
}

/** Longest text beside its line (a decoded comm, device or bdi name) that a copy takes along. */
const BESIDE_BYTES = 1024;

/** A copy that owns its line's bytes, what text stands beside the line, and the used part of its lists. */
function cloneEvent(ev: TraceEvent): TraceEvent {
  const copy = Object.assign(Object.create(Object.getPrototypeOf(ev)) as TraceEvent, ev);
  const {buf, lineStart, lineEnd} = ev;
  const length = lineEnd - lineStart;
  const beside: Uint8Array[] = [];
  let end = length;
  /** Where a range of the event is in the copy. A range that was left over from an earlier event may be anywhere. */
  const moved = (from: number, to: number): [number, number] => {
    if (to <= from) return [0, 0];
    if (from >= lineStart && to <= lineEnd) return [from - lineStart, to - lineStart];
    const bytes = buf.subarray(from, Math.min(to, from + BESIDE_BYTES));
    beside.push(bytes);
    end += bytes.length;
    return [end - bytes.length, end];
  };
  [copy.commStart, copy.commEnd] = moved(ev.commStart, ev.commEnd);
  [copy.nameStart, copy.nameEnd] = moved(ev.nameStart, ev.nameEnd);
  [copy.deviceStart, copy.deviceEnd] = moved(ev.deviceStart, ev.deviceEnd);
  [copy.textStart, copy.textEnd] = moved(ev.textStart, ev.textEnd);
  copy.buf =
    beside.length === 0
      ? bytesOf(buf, lineStart, lineEnd)
      : Buffer.concat([buf.subarray(lineStart, lineEnd), ...beside]);
  copy.lineStart = 0;
  copy.lineEnd = length;
  if (ev.listLength > 0 || ev.dmaLength > 0) {
    const lists = copy as unknown as Record<string, Float64Array>;
    for (const name of ['listPfn', 'listPtrHi', 'listPtrLo', 'listPhys', 'listOffset', 'listLen'])
      lists[name] = lists[name]!.slice(0, ev.listLength);
    for (const name of ['dmaAddrs', 'dmaLens']) lists[name] = lists[name]!.slice(0, ev.dmaLength);
  }
  return copy;
}

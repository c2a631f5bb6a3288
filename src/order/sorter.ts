/**
 * Puts events of tools that print out of time order (perf script, bpftrace), or of several traces, into order.
 *
 * An event goes on when enough later ones have come, or when every input has got past its time.
 */
import type {EventSink, Loss, TraceEvent} from '../events/event.js';
import {Rows} from './rows.js';
import {Copies, type Step} from './copies.js';
import {TimeQueue} from './time-queue.js';

/** Events held at most: perf is out of order by tens of events, bpftrace mostly too. */
export const WINDOW_EVENTS = 16_384;
/**
 * The same for several inputs, which advance in turn, and for one whose events came too late for that: bpftrace empties one
 * CPU's buffer after the other, each of up to 16 MiB by default (40,000 events late were seen, of bpftrace 0.17).
 */
const WIDE_EVENTS = 400_000;
/** The same for what is out of order still, or though its form prints in order: whole files may stand behind one another. */
const DISORDERED_EVENTS = 2_000_000;

/** How far out of order events may be. */
export type Disorder = 'slight' | 'wide' | 'thorough';
/** Bytes of lines and stacks held at most: real ones are a hundred times shorter than lines may be. */
const HELD_BYTES = 1 << 27;
const DISORDERED_BYTES = 1 << 29;
/** Most bytes kept of a frame, and of a stack; the ledger keeps 64 frames. */
const FRAME_BYTES = 256;
const STACK_BYTES = 64 * FRAME_BYTES;
const LF = 10;

export class Sorter implements EventSink {
  private readonly queue = new TimeQueue();
  private readonly rows = new Rows();
  /** by row, where it is a loss and no event */
  private readonly losses = new Map<number, Loss>();
  /** by row: frames of the event's stack, a newline after each */
  private readonly stacks = new Map<number, Uint8Array>();
  /** row of the event that came last, while a stack may follow it; -1 */
  private lastRow = -1;
  /** by input: the time of the last event of each CPU, by CPU + 1 */
  private readonly last: number[][] = [];
  /** events that came later than the window could mend */
  tooLate = 0;
  private released = -Infinity;
  private stackBytes = 0;
  /** the stack that is being read */
  private readonly stack = new Uint8Array(STACK_BYTES);
  private stackLength = 0;
  private readonly limit: number;
  private readonly heldMax: number;
  /** the span in which the order is not known: from the earliest that came too late to what had gone on by then */
  tooLateFrom = Infinity;
  tooLateTo = -Infinity;
  private readonly copies: Copies | undefined;
  /** whole files may stand behind one another: it is looked for places where a CPU's own times go back */
  readonly thorough: boolean;

  constructor(
    private readonly sink: EventSink,
    disorder: Disorder,
    inputs = 1,
  ) {
    const thorough = (this.thorough = disorder === 'thorough');
    this.limit = thorough ? DISORDERED_EVENTS : disorder === 'wide' ? WIDE_EVENTS : WINDOW_EVENTS;
    this.heldMax = thorough ? DISORDERED_BYTES : HELD_BYTES;
    this.copies = thorough || inputs > 1 ? new Copies() : undefined;
  }

  /** events that stood there twice: snapshots of one buffer that overlap */
  get twice(): number {
    return this.copies?.dropped ?? 0;
  }

  /** places where a CPU's own times go back for no reason that is known */
  get unexplained(): Step[] {
    return this.thorough ? (this.copies?.unexplained ?? []) : [];
  }

  event(ev: TraceEvent): void {
    (this.last[ev.input] ??= [])[ev.cpu + 1] = ev.t;
    if (ev.t < this.released) {
      this.tooLate++;
      this.tooLateFrom = Math.min(this.tooLateFrom, ev.t);
      this.tooLateTo = this.released;
    }
    this.lastRow = this.rows.put(ev);
    this.copies?.came(this.lastRow, ev);
    this.queue.push(this.lastRow, ev.t);
    this.bound();
  }

  private bound(): void {
    while (this.queue.length > this.limit || (this.heldBytes() > this.heldMax && this.queue.length > 1)) this.release();
  }

  /** Every input has got past `t`: what is earlier can go. */
  passed(t: number): void {
    while (this.queue.earliest() < t) this.release();
  }

  loss(loss: Loss): void {
    const row = this.rows.claim();
    this.losses.set(row, {...loss});
    this.queue.push(row, this.before(loss));
    this.bound();
  }

  /** When a loss began: behind its CPU's own last event, for other CPUs and inputs may be ahead; of one that names none behind all. */
  private before({input, cpu}: Loss): number {
    const last = this.last[input] ?? [];
    if (cpu >= 0) return last[cpu + 1] ?? -Infinity;
    return last.reduce((latest, t) => Math.max(latest, t), -Infinity);
  }

  fact(input: number, name: string, value: string): void {
    this.sink.fact(input, name, value);
  }

  stackBegin(): boolean {
    this.stackLength = 0;
    return this.lastRow >= 0;
  }

  stackFrame(buf: Uint8Array, start: number, end: number): void {
    const length = Math.min(end - start, FRAME_BYTES);
    if (this.stackLength + length >= this.stack.length) return;
    this.stack.set(buf.subarray(start, start + length), this.stackLength);
    this.stackLength += length;
    this.stack[this.stackLength++] = LF;
  }

  stackEnd(): void {
    if (this.lastRow >= 0) {
      this.stacks.set(this.lastRow, this.stack.slice(0, this.stackLength));
      this.stackBytes += this.stackLength;
    }
    this.lastRow = -1;
  }

  end(): void {
    while (this.queue.length > 0) this.release();
  }

  private heldBytes(): number {
    return this.rows.allocated + this.stackBytes;
  }

  private release(): void {
    this.released = Math.max(this.released, this.queue.earliest());
    const row = this.queue.pop();
    if (row === this.lastRow) this.lastRow = -1; // its stack would come too late
    if (this.losses.size > 0) {
      const loss = this.losses.get(row);
      if (loss) {
        this.losses.delete(row);
        this.rows.release(row);
        this.sink.loss(loss);
        return;
      }
    }
    const event = this.rows.take(row);
    if (this.copies?.isCopy(row, event)) {
      this.stacks.delete(row);
      return;
    }
    this.sink.event(event);
    if (this.stacks.size === 0) return;
    const frames = this.stacks.get(row);
    if (!frames) return;
    this.stacks.delete(row);
    this.stackBytes -= frames.length;
    if (!this.sink.stackBegin(event.cpu, event.pid)) return;
    for (let start = 0; start < frames.length;) {
      const end = frames.indexOf(LF, start);
      this.sink.stackFrame(frames, start, end);
      start = end + 1;
    }
    this.sink.stackEnd();
  }
}

/**
 * Snapshots of one ring buffer, one behind the other in a file or in files of their own, repeat what they share: `cat trace
 * >>file`, twice. A new one begins where a CPU's own times go back. A line of one time that stands in two of them is one event.
 */
import type {TraceEvent} from '../events/event.js';

/** A place in the input where a CPU's own times go back. */
export interface Step {
  cpu: number;
  /** the time it goes back to, and the latest of all CPUs before: within them lines of two recordings may stand */
  from: number;
  to: number;
  line: number;
  snapshot: number;
}

/** Most such places that are kept. */
const STEPS_MAX = 1000;

export class Copies {
  dropped = 0;
  private readonly steps: Step[] = [];
  /** snapshots of which a line stands in another too */
  private readonly shared = new Set<number>();
  private snapshots = 0;
  /** by input: the snapshot that is read, the latest time, and times of the last events by CPU + 1 */
  private readonly inputs: {snapshot: number; latest: number; last: number[]}[] = [];
  /** by row: the snapshot it stands in */
  private readonly of: number[] = [];
  /** the lines of the time at hand, with the snapshots that have them */
  private t = NaN;
  private lines: {text: string; cpu: number; snapshots: number[]}[] = [];

  /** An event comes, in the order of the file. */
  came(row: number, ev: TraceEvent): void {
    const input = (this.inputs[ev.input] ??= {snapshot: this.snapshots++, latest: -Infinity, last: []});
    const {last} = input;
    const at = ev.cpu + 1;
    if (ev.t < last[at]!) {
      input.snapshot = this.snapshots++;
      if (this.steps.length < STEPS_MAX)
        this.steps.push({cpu: ev.cpu, from: ev.t, to: input.latest, line: ev.line, snapshot: input.snapshot});
      last.length = 0;
    }
    last[at] = ev.t;
    if (ev.t > input.latest) input.latest = ev.t;
    this.of[row] = input.snapshot;
  }

  /** Places where times go back and what follows repeats nothing: no second look at one buffer explains them. */
  get unexplained(): Step[] {
    return this.steps.filter(({snapshot}) => !this.shared.has(snapshot));
  }

  /** Whether the event, in the order of time, is there already. */
  isCopy(row: number, ev: TraceEvent): boolean {
    if (this.snapshots < 2) return false;
    if (ev.t !== this.t) {
      this.t = ev.t;
      this.lines = [];
    }
    const text = Buffer.from(ev.buf.buffer, ev.buf.byteOffset + ev.lineStart, ev.lineEnd - ev.lineStart).toString(
      'latin1',
    );
    const snapshot = this.of[row]!;
    for (const line of this.lines) {
      if (line.text !== text || line.cpu !== ev.cpu || line.snapshots.includes(snapshot)) continue;
      line.snapshots.push(snapshot);
      this.dropped++;
      this.shared.add(snapshot);
      return true;
    }
    this.lines.push({text, cpu: ev.cpu, snapshots: [snapshot]});
    return false;
  }
}

/**
 * Snapshots of one ring buffer, one behind the other in a file, repeat what they share: `cat trace >>file`, twice. A new
 * one begins where a CPU's own times go back. A line of one time that stands in two of them is one event.
 */
import type {TraceEvent} from '../events/event.js';

/** A place in the input where a CPU's own times go back. */
export interface Step {
  cpu: number;
  /** the time it goes back to, and that of the CPU's event before */
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
  private snapshot = 0;
  private readonly last: number[] = [];
  /** by row: the snapshot it stands in */
  private readonly of: number[] = [];
  /** the lines of the time at hand, with the snapshots that have them */
  private t = NaN;
  private lines: {text: string; snapshots: number[]}[] = [];

  /** An event comes, in the order of the file. */
  came(row: number, ev: TraceEvent): void {
    const {last} = this;
    const at = ev.cpu + 1;
    if (ev.t < last[at]!) {
      this.snapshot++;
      if (this.steps.length < STEPS_MAX)
        this.steps.push({cpu: ev.cpu, from: ev.t, to: last[at]!, line: ev.line, snapshot: this.snapshot});
      last.length = 0;
    }
    last[at] = ev.t;
    this.of[row] = this.snapshot;
  }

  /** Places where times go back and what follows repeats nothing: no second look at one buffer explains them. */
  get unexplained(): Step[] {
    return this.steps.filter(({snapshot}) => !this.shared.has(snapshot));
  }

  /** Time of the last event of a CPU; undefined where none came yet. */
  lastOf(cpu: number): number | undefined {
    return this.last[cpu + 1];
  }

  /** Whether the event, in the order of time, is there already. */
  isCopy(row: number, ev: TraceEvent): boolean {
    if (this.snapshot === 0) return false;
    if (ev.t !== this.t) {
      this.t = ev.t;
      this.lines = [];
    }
    const text = Buffer.from(ev.buf.buffer, ev.buf.byteOffset + ev.lineStart, ev.lineEnd - ev.lineStart).toString(
      'latin1',
    );
    const snapshot = this.of[row]!;
    for (const line of this.lines) {
      if (line.text !== text || line.snapshots.includes(snapshot)) continue;
      line.snapshots.push(snapshot);
      this.dropped++;
      this.shared.add(snapshot);
      return true;
    }
    this.lines.push({text, snapshots: [snapshot]});
    return false;
  }
}

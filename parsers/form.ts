/** What every line form offers: a passive descriptor, and a reader that drives an EventSink. */

import type {EventSink} from '../src/events/event.js';
import type {TimeBase} from '../src/base/time.js';
import type {EventTable} from './events/table.js';

/** The `--from` names of the forms, and those that are recognised only to say what to do instead. */
export type FormId =
  'ftrace' | 'trace-cmd' | 'perf-script' | 'bpftrace' | 'bpftrace-json' | 'dmesg' | 'mail' | 'trace-dat' | 'perf-data';

/**
 * What a form says to the first bytes of an input.
 *
 * `no`: not this form. `yes`: this form. `refused`: this form or one of its variants, but of a kind that tells nothing
 * about pages; `advice` says what to do instead.
 */
export interface Sniff {
  verdict: 'no' | 'yes' | 'refused';
  /** how sure, 0 to 100; the highest `yes` wins */
  score: number;
  /** reasons, one a line, with line numbers */
  evidence: string[];
  advice?: string;
  /** where lines that should be of this form begin not to be: 1-based line, in the head that was sniffed */
  damagedAt?: number;
}

export interface OpenOptions {
  /** index into the report's inputs */
  input: number;
  /** shared by inputs on one clock */
  time: TimeBase;
  /** `X.Y` where the user said so: some returns and raw flags read differently by version */
  kernel?: string;
}

export interface Form {
  readonly id: FormId;
  readonly title: string;
  /** false: lines may be out of time order (perf script) and have to be sorted */
  readonly ordered: boolean;
  /** the input is of another encoding: places in what is read are none in the file */
  readonly transcoded?: boolean;
  sniff(head: Uint8Array): Sniff;
  open(sink: EventSink, options: OpenOptions): TraceReader;
}

export interface TraceReader {
  readonly counters: ReaderCounters;
  /** Reads `chunk[0..length)`, the next bytes of the input. The chunk may be written again after the call. */
  push(chunk: Uint8Array, length: number): void;
  /** The input is at its end: reads a last line without a newline. */
  end(): void;
}

/** Unrecognised lines kept to be shown, and how much of each. */
export const FIRST_UNRECOGNISED = 5;
export const UNRECOGNISED_BYTES = 300;
/** CPU numbers above this are not believed (the kernel's NR_CPUS limit is 8192). */
export const MAX_CPU = 8191;

/** What a reader counts while it reads. */
export class ReaderCounters {
  lines = 0;
  /** lines that are events, of whatever name */
  events = 0;
  unrecognised = 0;
  /** untrusted text, as it stands in the input */
  readonly firstUnrecognised: {line: number; text: string}[] = [];
  /** lines longer than MAX_LINE bytes, skipped; they count as unrecognised too */
  tooLong = 0;
  /** the input ends within a line: kernels and tools end every line */
  lastLineCut = false;
  /** events earlier than an event before them, on whatever CPU */
  outOfOrder = 0;
  /** the same, against the event before on the same CPU, by CPU */
  readonly outOfOrderByCpu: number[] = [];
  /** time of first and last event by CPU, as TraceEvent.t; holes for CPUs without events */
  readonly firstTime: number[] = [];
  readonly lastTime: number[] = [];
  /** latest time so far */
  latest = -Infinity;

  constructor(private readonly table: EventTable) {}

  /** Counts by event name as printed. */
  eventsByName(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const entry of this.table.entries) if (entry.count > 0) counts.set(entry.name, entry.count);
    return counts;
  }

  /** Books one event's time. */
  time(t: number, cpu: number): void {
    if (t < this.latest) this.outOfOrder++;
    else this.latest = t;
    if (cpu < 0 || cpu > MAX_CPU) return;
    const last = this.lastTime[cpu];
    if (last === undefined) {
      for (let i = this.lastTime.length; i <= cpu; i++) {
        this.firstTime[i] = this.lastTime[i] = NaN;
        this.outOfOrderByCpu[i] = 0;
      }
      this.firstTime[cpu] = this.lastTime[cpu] = t;
    } else if (t < last) {
      this.outOfOrderByCpu[cpu]!++;
      if (t < this.firstTime[cpu]!) this.firstTime[cpu] = t;
    } else {
      // NaN (no event yet) compares false above
      if (last !== last) this.firstTime[cpu] = t;
      this.lastTime[cpu] = t;
    }
  }
}

/**
 * What every form offers: a passive descriptor, and a reader that drives an EventSink. Lines are pushed as they come;
 * records are read from a source by their place.
 */

import type {EventKind, EventSink} from '../src/events/event.js';
import type {Kallsyms} from '../src/base/kallsyms.js';
import type {TimeBase} from '../src/base/time.js';
import type {RandomAccess} from '../src/io/random-access.js';
import type {EventTable} from './events/table.js';

/** The `--from` names of the forms. */
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
  /** opens this input, where it takes more than the form alone tells: the style of a program's lines */
  open?: LineForm['open'];
}

export interface OpenOptions {
  /** index into the report's inputs */
  input: number;
  /** shared by inputs on one clock */
  time: TimeBase;
  /** `X.Y` where the user said so: some returns and raw flags read differently by version */
  kernel?: string;
  /** symbols that the user gave: record forms name frames and probed functions by them */
  kallsyms?: Kallsyms;
  /** events that nobody decodes are handed over too where their text names a page: pages are followed */
  mentions?: boolean;
}

interface Described {
  readonly id: FormId;
  readonly title: string;
  /** false: events may be out of time order (perf script) and have to be sorted */
  readonly ordered: boolean;
  /** the input is of another encoding: places in what is read are none in the file */
  readonly transcoded?: boolean;
  sniff(head: Uint8Array): Sniff;
}

/** A form that is text, line by line. */
export interface LineForm extends Described {
  open(sink: EventSink, options: OpenOptions): TraceReader;
}

/** A recording: events are records of a file. */
export interface RecordForm extends Described {
  /** Reads what the file says of itself. Throws Refused for a file of this form that cannot be read. */
  openFile(source: RecordSource): Promise<RecordFile>;
}

export type Form = LineForm | RecordForm;

export function readsRecords(form: Form): form is RecordForm {
  return 'openFile' in form;
}

/** A recording that cannot be read, and what to do about it. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly advice: string,
  ) {
    super(message);
  }
}

/** A recording by its bytes: one file, or the files of a directory. */
export interface RecordSource extends RandomAccess {
  /** files beside it, for recordings that are directories (perf record --threads, --kcore): by name, opened on demand */
  readonly beside?: {readonly names: readonly string[]; open(name: string): RandomAccess};
}

/** A recording whose head was read. */
export interface RecordFile {
  /** Kinds of events that were recorded, whether they happened or not; empty where the file does not tell. */
  readonly recorded: readonly EventKind[];
  /** Whether some of these may have been left out all the same, which the file does not tell. */
  readonly mayBeLeftOut: boolean;
  /** A reader of all its events, from the first. */
  reader(sink: EventSink, options: OpenOptions): RecordReader;
}

export interface RecordReader {
  readonly counters: ReaderCounters;
  /** Reads about so many records. False at the end. */
  step(records: number): boolean;
  /** No more is read: what is known of the end is told. Called once, after the last step. */
  end(): void;
  /** A record as tracefs would print it, by its place (TraceEvent.offset); or a line of a text inside. */
  text(place: number, length: number, cut: boolean): string;
}

export interface TraceReader {
  readonly counters: ReaderCounters;
  /** Reads `chunk[0..length)`, the next bytes of the input. The chunk may be written again after the call. */
  push(chunk: Uint8Array, length: number): void;
  /** Reading was stopped within a line, which is whole in the trace: it is no line that was not understood. Then end(). */
  stopped?(): void;
  /** The input is at its end: reads a last line without a newline. */
  end(): void;
}

/** Unrecognised lines kept to be shown, and how much of each. */
export const FIRST_UNRECOGNISED = 5;
export const UNRECOGNISED_BYTES = 300;
/** CPU numbers above this are not believed (the kernel's NR_CPUS limit is 8192). */
export const MAX_CPU = 8191;
/** Most headers of ring buffers within one input that are told apart: each is held against all CPUs. */
const SECTIONS_MAX = 1024;

/** What a reader counts while it reads. */
export class ReaderCounters {
  lines = 0;
  /** lines that are events, of whatever name */
  events = 0;
  unrecognised = 0;
  /** untrusted text, as it stands in the input */
  readonly firstUnrecognised: {line: number; text: string}[] = [];
  /** lines of events whose end is missing */
  torn = 0;
  /** lines longer than MAX_LINE bytes, skipped; they count as unrecognised too */
  tooLong = 0;
  /** the input ends within a line: kernels and tools end every line */
  lastLineCut = false;
  /** events earlier than an event before them, on whatever CPU */
  outOfOrder = 0;
  /** the same, against the event before on the same CPU, by CPU */
  readonly outOfOrderByCpu: number[] = [];
  /** the first of these: on which CPU, from when to when, on which line */
  firstBack: {cpu: number; from: number; to: number; line: number} | undefined = undefined;
  /** time of first and last event by CPU, as TraceEvent.t; holes for CPUs without events */
  readonly firstTime: number[] = [];
  readonly lastTime: number[] = [];
  /** how far back at most, in units of time */
  furthestBack = 0;
  /** stack blocks with columns of their own: entries of the ring buffer, as events are */
  stacks = 0;
  /** latest time so far, and earliest */
  latest = -Infinity;
  earliest = Infinity;

  constructor(private readonly table: EventTable) {}

  /** by header that counts the entries of a ring buffer: the one CPU that the events below it are of; -1: of none, or several */
  private readonly sections: number[] = [];
  private sectionTimes: number[] = [];
  private sectionBack: number[] = [];

  /** Such a header comes. Of more than SECTIONS_MAX the first is said to be of no CPU alone. */
  beginSection(): void {
    const {sections} = this;
    if (sections.length > SECTIONS_MAX) {
      sections[0] = -1;
      return;
    }
    this.endSection();
    sections.push(-1);
    this.sectionTimes = [...this.lastTime];
    this.sectionBack = [...this.outOfOrderByCpu];
  }

  /** The input has ended: by header, the one CPU that all events below it are of; -1. */
  endSections(): readonly number[] {
    this.endSection();
    return this.sections;
  }

  private endSection(): void {
    const {lastTime, outOfOrderByCpu, sectionTimes, sectionBack, sections} = this;
    if (sections.length === 0) return;
    const cpus = [...lastTime.keys()].filter(
      (cpu) => !Object.is(lastTime[cpu], sectionTimes[cpu] ?? NaN) || outOfOrderByCpu[cpu] !== (sectionBack[cpu] ?? 0),
    );
    sections[sections.length - 1] = cpus.length === 1 ? cpus[0]! : -1;
  }

  /** Counts by event name as printed. */
  eventsByName(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const entry of this.table.entries) if (entry.count > 0) counts.set(entry.name, entry.count);
    return counts;
  }

  /** Books one event's time. Of the event, for V8 makes an object of each time that is handed over alone. */
  time({t, cpu}: {readonly t: number; readonly cpu: number}): void {
    if (t < this.latest) {
      this.outOfOrder++;
      if (this.latest - t > this.furthestBack) this.furthestBack = this.latest - t;
      if (t < this.earliest) this.earliest = t;
    } else {
      if (this.latest === -Infinity) this.earliest = t;
      this.latest = t;
    }
    if (cpu < 0 || cpu > MAX_CPU) return;
    // asked by the length: V8 makes an object of each number that it reads from where there may be none
    if (cpu >= this.lastTime.length) {
      for (let i = this.lastTime.length; i <= cpu; i++) {
        this.firstTime[i] = this.lastTime[i] = NaN;
        this.outOfOrderByCpu[i] = 0;
      }
    }
    const last = this.lastTime[cpu]!;
    if (t < last) {
      this.outOfOrderByCpu[cpu]!++;
      this.firstBack ??= {cpu, from: last, to: t, line: this.lines};
      if (t < this.firstTime[cpu]!) this.firstTime[cpu] = t;
    } else {
      // NaN (no event yet) compares false above
      if (last !== last) this.firstTime[cpu] = t;
      this.lastTime[cpu] = t;
    }
  }
}

/**
 * Which functions a recording covers. What can happen through several functions leaves an event each time only where all of
 * them are recorded: try_grab_folio_fast() alone shows no pin of the slow path (mm/gup.c).
 *
 * Known by sight, or announced: the recorder's header (`probe`), the formats of a trace.dat, the attrs of perf.
 */
import {Fn, functionNumber} from '../events/functions.js';

/** Ways of taking a pin or get, by kernel: the fast and the slow path. */
const TAKING: readonly (readonly [fast: number, slow: number, kernels: string])[] = [
  [Fn.try_grab_folio_fast, Fn.try_grab_folio, '6.12 and later'],
  [Fn.try_grab_folio, Fn.try_grab_page, '5.19 to 6.11'],
  [Fn.try_grab_compound_head, Fn.try_grab_page, '5.7 to 5.18'],
];

/** So many takings of a machine are hardly ever all of one task: each exec takes some (get_arg_page(), fs/exec.c). */
const ONE_TAKER = 1000;
/** Most names that are kept. */
const ANNOUNCED_MAX = 1000;

export class Coverage {
  /** by function: from when on its events are known to be recorded; -Infinity: announced; Infinity: not seen so far */
  private readonly since = new Float64Array(256).fill(Infinity);
  /** names of functions and events that the recording says of itself it records */
  readonly announced = new Set<string>();

  /** takings so far, and the task that all of them are of; -1 where they are of several */
  private takings = 0;
  private taker = -1;

  /** The pid of the one task that takes references in the trace, of so many that a filter is likelier; undefined for others. */
  get oneTaker(): number | undefined {
    return this.takings >= ONE_TAKER && this.taker > 0 ? this.taker : undefined;
  }

  /** An event of a function that takes references came. */
  saw(fn: number, t: number, pid: number): void {
    if (pid !== this.taker) this.taker = this.takings === 0 ? pid : -1;
    this.takings++;
    if (t < this.since[fn]!) this.since[fn] = t;
  }

  /** A header's fact. */
  fact(name: string, value: string): void {
    if (name === 'recorded_event' || name === 'event') this.tell(nameIn(value));
    else if (name === 'listed_event')
      this.announce(nameIn(value)); // it may have been left out all the same
    else if (name === 'probe') this.tell(value.split(' ')[1] ?? '');
  }

  private tell(name: string): void {
    this.since[functionNumber(name)] = -Infinity;
    this.announce(name);
  }

  private announce(name: string): void {
    if (this.announced.size < ANNOUNCED_MAX) this.announced.add(name);
  }

  learnFrom(other: Coverage): void {
    for (let fn = 1; fn < this.since.length; fn++) {
      this.since[fn] = Math.min(this.since[fn]!, other.since[fn]!);
    }
  }

  /** Whether a function is announced as recorded, or was seen. */
  covers(fn: number): boolean {
    return this.since[fn]! < Infinity;
  }

  /**
   * Null where every function that takes references is recorded, from a time on (probes are attached one after the other while
   * the trace runs, by bpftrace or `echo 1 > events/kprobes/enable`); else which is not, in words.
   */
  takingUncovered(from = Infinity): string | null {
    for (const [fast, slow] of TAKING) {
      if (!this.covers(fast) && !this.covers(slow)) continue;
      // try_grab_folio() is the slow path of one kernel and the fast path of another: its partner tells
      if (fast === Fn.try_grab_folio_fast && !this.covers(fast) && this.covers(Fn.try_grab_page)) continue;
      if (fast === Fn.try_grab_folio && !this.covers(slow)) continue;
      const missing = [fast, slow].find((fn) => !this.covers(fn));
      if (missing !== undefined) return `${nameOf(missing)}() is not seen to be probed: a pin by it leaves no event`;
      const late = [fast, slow].find((fn) => this.since[fn]! > from);
      return late === undefined
        ? null
        : `${nameOf(late)}() is not seen to be probed until later: a pin by it left no event`;
    }
    return 'no function that takes pins is seen to be probed on both of its paths';
  }
}

const NAMES = new Map<number, string>(Object.entries(Fn).map(([name, fn]) => [fn, name]));

/** The name of a function by its number (src/events/functions.ts). */
export function nameOf(fn: number): string {
  return NAMES.get(fn) ?? 'a function';
}

/** `system:name` or `system/name` */
function nameIn(event: string): string {
  return event.slice(Math.max(event.lastIndexOf(':'), event.lastIndexOf('/')) + 1);
}

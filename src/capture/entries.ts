/**
 * The ring buffer's own count: `# entries-in-buffer/entries-written: 6680/13360   #P:2` stands above as many lines (events
 * and stacks, kernel/trace/trace.c print_event_info()). A file with fewer was filtered, edited or cut; one with more is of
 * several snapshots, or was printed while it grew.
 */
import type {Gaps} from './gaps.js';

/** What a reader counted of an input. */
export interface Counted {
  input: number;
  events: number;
  stacks: number;
  unrecognised: number;
  /** by header: the one CPU that has events below it; -1: none, or several */
  sections: readonly number[];
}

export class Entries {
  /** by the headers, and as read; of inputs that have such headers and were read whole, each against its own */
  expected = 0;
  found = 0;
  /** entries that are not there */
  missing = 0;
  /** that the headers call written, and no longer in the buffer */
  overwritten = 0;
  /** by input, what each of its headers counts */
  private readonly counted = new Map<number, number[]>();
  private kept = NaN;

  constructor(private readonly gaps: Gaps) {}

  /** `entries-in-buffer` of a header. */
  header(input: number, entries: number): void {
    this.kept = entries;
    if (!Number.isSafeInteger(entries) || entries < 0) return;
    const counted = this.counted.get(input);
    if (counted === undefined) this.counted.set(input, [entries]);
    else counted.push(entries);
  }

  /** `entries-written` of the same header, which stands behind it. Answers whether some are no longer there. */
  written(entries: number): boolean {
    const gone = entries > this.kept;
    if (gone) this.overwritten += entries - this.kept;
    return gone;
  }

  /**
   * Inputs were read to their ends. `per_cpu/cpuN/trace` has one CPU's events below a header that counts those of all CPUs
   * (kernel/trace/trace.c, get_total_entries()): what such files have together is held against it.
   */
  read(inputs: readonly Counted[]): void {
    const parts = inputs.filter(({sections}) => sections.length > 0 && sections.every((cpu) => cpu >= 0));
    const cpus = parts.flatMap(({sections}) => sections);
    const counts = new Set(parts.flatMap(({input}) => this.counted.get(input) ?? []));
    const together = cpus.length > 1 && new Set(cpus).size === cpus.length && counts.size === 1;
    if (together) this.compare([...counts][0]!, parts);
    for (const one of inputs) {
      const counted = this.counted.get(one.input);
      if (counted === undefined || (together && parts.includes(one))) continue;
      this.compare(
        counted.reduce((sum, n) => sum + n, 0),
        [one],
      );
    }
  }

  private compare(expected: number, inputs: readonly Counted[]): void {
    const found = inputs.reduce((sum, {events, stacks}) => sum + events + stacks, 0);
    const unrecognised = inputs.reduce((sum, one) => sum + one.unrecognised, 0);
    this.expected += expected;
    this.found += found;
    if (found >= expected) return;
    this.missing += expected - found;
    const unread = unrecognised > 0 ? `, and ${unrecognised} were not understood` : '';
    this.gaps.add(
      -Infinity,
      Infinity,
      `the header counts ${expected} entries of the ring buffer, the file has ${found}${unread}: what is missing could be anywhere`,
    );
  }
}

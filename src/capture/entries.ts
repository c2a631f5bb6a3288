/**
 * The ring buffer's own count: `# entries-in-buffer/entries-written: 6680/13360   #P:2` stands above as many lines (events
 * and stacks, kernel/trace/trace.c print_event_info()). A file with fewer was filtered, edited or cut; one with more is of
 * several snapshots, or was printed while it grew.
 */
import type {Gaps} from './gaps.js';

export class Entries {
  /** by the headers, and as read; of inputs that have such headers and were read whole, each against its own */
  expected = 0;
  found = 0;
  /** entries that are not there */
  missing = 0;
  /** that the headers call written, and no longer in the buffer */
  overwritten = 0;
  /** by input, what its headers count */
  private readonly counted = new Map<number, number>();
  private kept = NaN;

  constructor(private readonly gaps: Gaps) {}

  /** `entries-in-buffer` of a header. */
  header(input: number, entries: number): void {
    this.kept = entries;
    if (!Number.isSafeInteger(entries) || entries < 0) return;
    this.counted.set(input, (this.counted.get(input) ?? 0) + entries);
  }

  /** `entries-written` of the same header, which stands behind it. Answers whether some are no longer there. */
  written(entries: number): boolean {
    const gone = entries > this.kept;
    if (gone) this.overwritten += entries - this.kept;
    return gone;
  }

  /** An input was read to its end. */
  read(input: number, {events, stacks, unrecognised}: {events: number; stacks: number; unrecognised: number}): void {
    const expected = this.counted.get(input);
    if (expected === undefined) return;
    const found = events + stacks;
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

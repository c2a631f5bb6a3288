/**
 * The ring buffer's own count: `# entries-in-buffer/entries-written: 6680/13360   #P:2` stands above as many lines (events
 * and stacks, kernel/trace/trace.c print_event_info()). A file with fewer was filtered, edited or cut; one with more is of
 * several snapshots, or was printed while it grew.
 */
import type {Gaps} from './gaps.js';

export class Entries {
  /** by the headers, and as read; of inputs that have such headers and were read whole */
  expected = 0;
  found = 0;
  /** entries that are not there */
  missing = 0;
  private headers = 0;

  constructor(private readonly gaps: Gaps) {}

  header(entries: number): void {
    if (!Number.isSafeInteger(entries) || entries < 0) return;
    this.headers++;
    this.expected += entries;
  }

  /** An input was read to its end. */
  read({events, stacks, unrecognised}: {events: number; stacks: number; unrecognised: number}): void {
    this.found += events + stacks;
    if (this.headers === 0 || this.found >= this.expected) return;
    const {expected, found} = this;
    this.missing = expected - found;
    const unread = unrecognised > 0 ? `, and ${unrecognised} were not understood` : '';
    this.gaps.add(
      -Infinity,
      Infinity,
      `the header counts ${expected} entries of the ring buffer, the file has ${found}${unread}: what is missing could be anywhere`,
    );
  }
}

/**
 * Bounds that keep memory and time in proportion to the input, whatever it holds. What is left out is counted by the name
 * of the bound, for the quality table.
 */
export type Limit =
  | 'pages'
  | 'tasks'
  | 'devices'
  | 'stacks'
  | 'file-pages'
  | 'references'
  | 'mappings'
  | 'mapping-pages'
  | 'calls'
  | 'looks'
  | 'waiting'
  | 'finding-pages'
  | 'kept-by-rules'
  | 'names'
  | 'facts';

/** Pages that may be looked at for each event, on average: an order-10 folio's at every one. */
const LOOKS_AN_EVENT = 1024;
/** The same before the first event: a trace may begin with a few large things. */
const LOOKS_AT_FIRST = 1 << 22;

export class Limits {
  private readonly counts = new Map<Limit, number>();

  hit(limit: Limit, times = 1): void {
    this.counts.set(limit, (this.counts.get(limit) ?? 0) + times);
  }

  /** How often each bound was reached. */
  reached(): ReadonlyMap<Limit, number> {
    return this.counts;
  }

  // --- work: one line may name a range of a million pages

  /** pages looked at so far as parts of ranges: counted where the looking is done */
  looks = 0;
  /** events read so far */
  events = 0;

  /** Whether more was looked at than the events so far are worth: a range is then cut short, which is counted. */
  tired(): boolean {
    if (this.looks <= LOOKS_AT_FIRST + LOOKS_AN_EVENT * this.events) return false;
    this.hit('looks');
    return true;
  }
}

/**
 * The raw counts, added up.
 *
 * `count=` is read after the atomic change and apart from it, so with two CPUs at one page it may already hold the
 * other's change. The replay is therefore the source, and the printed count a check on it: a disagreement that is gone at
 * the page's next event was a race, one that stays means that events are missing.
 */
import {BIAS} from '../../base/reference.js';
import {EventKind as K, PageFlag, type TraceEvent} from '../../events/event.js';
import {PageState, UNKNOWN_COUNT} from '../tables/page-table.js';
import type {Uses} from './around.js';
import type {Holdings} from './holdings.js';

/** Most pages of which the last time that their count agreed is kept. */
const AGREED_MAX = 100_000;

export class Replay {
  /** disagreements of replay and print that stayed: events are missing */
  mismatches = 0;
  /** disagreements that the page's next event resolved: two CPUs at one page */
  races = 0;
  /** a change smaller than a pin was seen: no value filter hides them (`val>=1024||val<=-1024` does) */
  smallSeen = false;
  /** a count was printed that holds no pin: no filter hides the drops that leave such a one (`count>=1024` does) */
  unpinnedSeen = false;
  /** rows whose count disagrees: when it agreed last, so that what is missing came later */
  private readonly agreed = new Map<number, number>();

  constructor(
    private readonly around: Uses<'capture' | 'pages'>,
    private readonly held: Holdings,
  ) {}

  /** What a look at the head of the same trace told. */
  learnFrom(trial: Replay): void {
    this.smallSeen ||= trial.smallSeen;
    this.unpinnedSeen ||= trial.unpinnedSeen;
  }

  /** The count is set, frozen or unfrozen to a value. */
  set(ev: TraceEvent, row: number, value: number): void {
    const {pages} = this.around;
    pages.expect[row] = value;
    pages.count[row] = ev.hasCount !== 0 ? ev.count : value;
    pages.state[row]! &= ~PageState.mismatch;
  }

  /** The count changes. `previous`: time of the page's event before. */
  change(ev: TraceEvent, row: number, delta: number, previous: number): void {
    const {pages} = this.around;
    if (delta < BIAS - 1 && delta > 1 - BIAS) this.smallSeen = true;
    if (ev.hasCount === 0) {
      if (pages.expect[row] !== UNKNOWN_COUNT) pages.expect[row]! += delta;
      pages.count[row] = UNKNOWN_COUNT;
      return;
    }
    const printed = ev.count;
    if (printed < BIAS) this.unpinnedSeen = true;
    const before = pages.expect[row]!;
    pages.count[row] = printed;
    if (before === UNKNOWN_COUNT) {
      pages.expect[row] = printed;
      this.derivePins(ev, row, printed - delta);
      return;
    }
    const expected = before + delta;
    if (expected === printed) {
      pages.expect[row] = printed;
      if (pages.state[row]! & PageState.mismatch) {
        pages.state[row]! &= ~PageState.mismatch;
        this.races++;
      }
      return;
    }
    this.disagree(ev, row, expected, printed, delta, previous);
  }

  private disagree(
    ev: TraceEvent,
    row: number,
    expected: number,
    printed: number,
    delta: number,
    previous: number,
  ): void {
    const {around} = this;
    const {pages} = around;
    if (ev.hasRet !== 0 && ev.ret === 1 && ev.kind === K.RefModAndTest) this.lastUnexplained(ev, row, previous);
    if (!this.complete()) {
      // A trace that leaves out some of the page_ref events (a filter, a subset): no loss, and the printed count is all there is.
      pages.expect[row] = printed;
      if (this.nearestPins(row, printed - delta) < pages.pins[row]!) this.dropsUnseen(ev, row, previous);
      this.resync(ev, row, printed - delta);
      return;
    }
    if ((pages.state[row]! & PageState.mismatch) === 0) {
      // The other CPU's change is printed here, and its event follows: keep the replay.
      pages.state[row]! |= PageState.mismatch;
      pages.expect[row] = expected;
      if (this.agreed.size >= AGREED_MAX) this.agreed.clear();
      this.agreed.set(row, previous);
      return;
    }
    pages.state[row]! &= ~PageState.mismatch;
    pages.expect[row] = printed;
    this.mismatches++;
    const agreed = this.agreed.get(row) ?? previous;
    this.agreed.delete(row);
    around.capture.audit.breach({
      law: 'counts-add-up',
      what: undefined,
      from: previous,
      since: Math.max(agreed, pages.since[row]!),
      to: ev.t,
      pfn: ev.pfn,
      line: ev.line,
      why: `counts of PFN 0x${ev.pfn.toString(16)} do not add up before line ${ev.line}: events are missing`,
    });
    this.resync(ev, row, printed - delta);
  }

  /** Pins went since the page's event before: a filter by value shows each unpin, so these were lost, or left out by task or context. */
  private dropsUnseen(ev: TraceEvent, row: number, previous: number): void {
    const {pages, capture} = this.around;
    if ((pages.state[row]! & PageState.large) !== 0) return;
    capture.audit.page({
      law: 'counts-add-up',
      what: 'dropped',
      from: previous,
      to: ev.t,
      pfn: pages.pfn[row]!,
      line: ev.line,
      why: `the count that line ${ev.line} prints holds fewer pins than were seen: an unpin is missing before it`,
      only: true,
    });
  }

  /**
   * The last reference goes, and by what was seen others were left: no event comes any more that could explain it. A change of
   * another CPU may be printed late; that is no loss, and a doubt about this page alone.
   */
  private lastUnexplained(ev: TraceEvent, row: number, previous: number): void {
    const {pages, capture} = this.around;
    if (pages.references[row] === undefined) return;
    capture.audit.page({
      law: 'counts-add-up',
      what: undefined,
      from: Math.min(previous, pages.since[row]!),
      to: ev.t,
      pfn: pages.pfn[row]!,
      line: ev.line,
      why: `line ${ev.line} drops the last reference of a page that had others by all that was seen: events are missing`,
    });
  }

  /**
   * References that a page surely has besides pins and gets: one a mapping, and for a page of a file one for the page
   * cache and one for its private data (mm/filemap.c, 4.9 to 7.2). -1 when the mapcount is not known.
   */
  basis(row: number): number {
    const {around} = this;
    const {pages} = around;
    const mapcount = pages.mapcount[row]!;
    if (mapcount === UNKNOWN_COUNT || pages.count[row] === UNKNOWN_COUNT) return -1;
    const mappings = around.capture.era.rawMapcount ? mapcount + 1 : mapcount;
    let base = Math.max(0, mappings);
    if (pages.state[row]! & PageState.file) base += 1 + (pages.flags[row]! & PageFlag.private ? 1 : 0);
    return base;
  }

  /** Whether the trace records every change of a count. */
  complete(): boolean {
    const {around} = this;
    return (
      around.capture.certifies(K.RefMod) &&
      around.capture.certifies(K.RefModUnless) &&
      around.capture.certifies(K.RefModAndTest) &&
      this.smallSeen
    );
  }

  /** Pins from before the trace, from the first count seen: a small page's count holds them in units of the bias. */
  private derivePins(ev: TraceEvent, row: number, before: number): void {
    const {around} = this;
    const {pages} = around;
    const state = pages.state[row]!;
    pages.state[row] = state | PageState.pinsDerived;
    if (state & (PageState.large | PageState.pinsDerived) || before < BIAS) return;
    const pins = this.nearestPins(row, before) - pages.pins[row]!;
    if (pins > 0) this.held.derived(ev, row, pins, (state & PageState.lifeSeen) === 0);
  }

  /** After missing events: as many pins as the count holds. */
  private resync(ev: TraceEvent, row: number, before: number): void {
    const {around} = this;
    const {pages} = around;
    if (pages.state[row]! & PageState.large || before < 0) return;
    const pins = this.nearestPins(row, before);
    const known = pages.pins[row]!;
    if (pins > known) this.held.derived(ev, row, pins - known, false);
    else if (pins < known) this.held.lose(row, known - pins);
  }

  /**
   * How many pins a count holds, given that references other than mappings number less than half the bias (1023 is one pin and a
   * put too many). A page of a library or of a database's shared memory may have more mappings than that.
   */
  private nearestPins(row: number, count: number): number {
    const others = count - Math.max(0, this.around.pages.mapcount[row]!);
    return Math.max(0, Math.floor((others + BIAS / 2) / BIAS));
  }
}

/**
 * page_ref events: the replay of the raw count, and what its deltas say of pins.
 *
 * `count=` is read after the atomic change and apart from it, so with two CPUs at one page it may already hold the
 * other's change. The replay is therefore the source, and the printed count a check on it: a disagreement that is gone at
 * the page's next event was a race, one that stays means that events are missing.
 */
import {Context, EventKind as K, PageFlag, type TraceEvent} from '../../events/event.js';
import {What} from '../tables/journal.js';
import type {Model} from '../model.js';
import {PageState, UNKNOWN_COUNT} from '../tables/page-table.js';
import type {Deed} from '../tables/references.js';

/** GUP_PIN_COUNTING_BIAS, include/linux/mm.h, 5.7 to 7.2. */
export const BIAS = 1024;

export class RefCounts {
  /** disagreements of replay and print that stayed: events are missing */
  mismatches = 0;
  /** disagreements that the page's next event resolved: two CPUs at one page */
  races = 0;
  /** a change smaller than a pin was seen: no value filter hides them (`val>=1024||val<=-1024` does) */
  smallSeen = false;

  constructor(private readonly m: Model) {}

  event(ev: TraceEvent): void {
    const {m} = this;
    const {pages} = m;
    const {kind, t} = ev;
    const row = pages.row(ev.pfn, t);
    if (row < 0) return;
    const previous = pages.lastTime[row]!;
    pages.lastTime[row] = t;

    let delta = 0;
    let absolute = UNKNOWN_COUNT;
    switch (kind) {
      case K.RefMod:
      case K.RefModAndTest:
      case K.RefModAndReturn:
        delta = ev.val;
        break;
      case K.RefModUnless:
        if (ev.hasRet !== 0 && ev.ret === 0) return; // attempted, nothing changed
        delta = ev.val;
        break;
      case K.RefSet:
        absolute = ev.val;
        break;
      case K.RefFreeze:
        if (ev.ret === 0) return;
        absolute = 0;
        break;
      default: // RefUnfreeze
        absolute = ev.val;
    }

    if (ev.pageFlags !== 0) {
      pages.flags[row] = ev.pageFlags;
      if ((ev.pageFlags & PageFlag.head) !== 0 && (pages.state[row]! & PageState.large) === 0)
        pages.setLarge(row, 1, false);
    } else pages.flags[row] = 0;
    if (ev.hasMapcount !== 0) {
      pages.mapcount[row] = ev.mapcount;
      if (ev.mapcount === -1) {
        m.era.rawMapcount = true;
        // Anonymous pages become swap-backed when they are mapped; one that is so before is in the page cache (shmem).
        if (delta > 0 && (ev.pageFlags & SHMEM_FLAGS) === SHMEM_FLAGS) pages.state[row]! |= PageState.shmem;
      } else if (ev.mapcount > 0 || m.era.rawMapcount) pages.state[row]! |= PageState.wasMapped;
    }
    if (ev.mt >= 0) {
      pages.migratetype[row] = ev.mt;
      if (ev.mt === 5) m.cmaKnown = true;
    }

    if (absolute !== UNKNOWN_COUNT) {
      this.set(ev, row, kind, absolute);
      return;
    }

    if (delta < BIAS - 1 && delta > 1 - BIAS) this.smallSeen = true;
    const inBatch = m.inBatch(ev);
    this.replay(ev, row, delta, previous);
    if (ev.pageFlags !== 0) m.writeback.flags(ev, row);

    // Everything below is about pages that hold pins or gets, or are about to.
    const hint = m.calls.hints[m.calls.slot(ev.cpu, ev.context)];
    let told = false;
    if (hint !== undefined && hint.pid === ev.pid) told = m.gup.complete(hint, ev, row, delta);
    if (!told && (delta >= BIAS - 1 || delta <= 1 - BIAS)) told = m.gup.byDelta(ev, row, delta);
    if (!told && pages.state[row]! & PageState.large && delta !== 0) m.gup.ambiguous(ev, row, delta);
    if (pages.journals[row] !== undefined) {
      if (!told) {
        if (m.matters(row)) m.note(row, ev, What.change, delta, 0, 0);
        else m.forget(row);
      }
    }
    if (pages.gets[row]! > 0 && !told) m.gup.putByCount(ev, row, delta);
    else if (delta < 0 && ev.count > 0 && ev.mapcount === -1 && pages.references[row] === undefined)
      this.orphan(ev, row);
    if (pages.references[row] !== undefined || (m.watched.size > 0 && m.watched.has(row)))
      this.tellCounted(ev, row, delta, inBatch);
    if (kind === K.RefModAndTest && ev.hasRet !== 0 && ev.ret === 1) m.lifetime.lastReferenceGone(ev, row);
  }

  /** Apart from event(), which is called for every line: a closure in there costs each of them. */
  private tellCounted(ev: TraceEvent, row: number, delta: number, inBatch: boolean): void {
    const {m} = this;
    const deed = (): Deed => m.deed(ev);
    for (const tell of m.on.counted) tell(row, deed, delta, inBatch);
  }

  /** Anonymous pages on the LRU that lost their last mapping and still have a count, by row: who holds them is not traced. */
  readonly orphans = new Map<number, {generation: number; deed: Deed}>();

  private orphan(ev: TraceEvent, row: number): void {
    const {m} = this;
    const wanted = PageFlag.lru | PageFlag.swapbacked;
    if ((ev.pageFlags & (wanted | PageFlag.swapcache | PageFlag.head)) !== wanted || m.records(K.Grab)) return;
    const state = m.pages.state[row]!;
    if ((state & PageState.wasMapped) === 0 || (state & PageState.shmem) !== 0) return;
    if (this.orphans.size >= ORPHANS_MAX && !this.orphans.has(row)) m.limits.hit('kept-by-rules');
    else this.orphans.set(row, {generation: m.pages.generation[row]!, deed: m.deed(ev)});
  }

  private set(ev: TraceEvent, row: number, kind: number, absolute: number): void {
    const {m} = this;
    const {pages} = m;
    if (kind === K.RefSet && absolute === 1) m.lifetime.setToOne(ev, row);
    pages.expect[row] = absolute;
    pages.count[row] = ev.hasCount !== 0 ? ev.count : absolute;
    pages.state[row]! &= ~PageState.mismatch;
    if (pages.journals[row] !== undefined) {
      m.note(
        row,
        ev,
        kind === K.RefFreeze ? What.freeze : kind === K.RefUnfreeze ? What.unfreeze : What.set,
        NaN,
        0,
        0,
      );
    }
  }

  private replay(ev: TraceEvent, row: number, delta: number, previous: number): void {
    const {pages} = this.m;
    if (ev.hasCount === 0) {
      if (pages.expect[row] !== UNKNOWN_COUNT) pages.expect[row]! += delta;
      pages.count[row] = UNKNOWN_COUNT;
      return;
    }
    const printed = ev.count;
    const before = pages.expect[row]!;
    pages.count[row] = printed;
    if (before === UNKNOWN_COUNT) {
      pages.expect[row] = printed;
      this.derivePins(row, printed - delta);
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
    const {m} = this;
    const {pages} = m;
    if (!this.complete()) {
      // A trace that leaves out some of the page_ref events (a filter, a subset): no loss, and the printed count is all there is.
      pages.expect[row] = printed;
      this.resync(row, printed - delta);
      return;
    }
    if ((pages.state[row]! & PageState.mismatch) === 0) {
      // The other CPU's change is printed here, and its event follows: keep the replay.
      pages.state[row]! |= PageState.mismatch;
      pages.expect[row] = expected;
      return;
    }
    pages.state[row]! &= ~PageState.mismatch;
    pages.expect[row] = printed;
    this.mismatches++;
    m.audit.breach({
      law: 'counts-add-up',
      what: undefined,
      from: previous,
      to: ev.t,
      pfn: ev.pfn,
      line: ev.line,
      why: `counts of PFN 0x${ev.pfn.toString(16)} do not add up before line ${ev.line}: events are missing`,
    });
    this.resync(row, printed - delta);
  }

  /**
   * References that a page surely has besides pins and gets: one a mapping, and for a page of a file one for the page
   * cache and one for its private data (mm/filemap.c, 4.9 to 7.2). -1 when the mapcount is not known.
   */
  basis(row: number): number {
    const {m} = this;
    const {pages} = m;
    const mapcount = pages.mapcount[row]!;
    if (mapcount === UNKNOWN_COUNT || pages.count[row] === UNKNOWN_COUNT) return -1;
    const mappings = m.era.rawMapcount ? mapcount + 1 : mapcount;
    let base = Math.max(0, mappings);
    if (pages.state[row]! & PageState.file) base += 1 + (pages.flags[row]! & PageFlag.private ? 1 : 0);
    return base;
  }

  /** Whether the trace records every change of a count. */
  complete(): boolean {
    const {m} = this;
    return m.records(K.RefMod) && m.records(K.RefModUnless) && m.records(K.RefModAndTest) && this.smallSeen;
  }

  /** Pins from before the trace, from the first count seen: a small page's count holds them in units of the bias. */
  private derivePins(row: number, before: number): void {
    const {m} = this;
    const {pages} = m;
    const state = pages.state[row]!;
    pages.state[row] = state | PageState.pinsDerived;
    if (state & (PageState.large | PageState.pinsDerived) || before < BIAS) return;
    const pins = nearestPins(before) - pages.pins[row]!;
    if (pins > 0) m.held.derived(row, pins);
  }

  /** After missing events: as many pins as the count holds. */
  private resync(row: number, before: number): void {
    const {m} = this;
    const {pages} = m;
    if (pages.state[row]! & PageState.large || before < 0) return;
    const pins = nearestPins(before);
    const known = pages.pins[row]!;
    if (pins > known) m.held.derived(row, pins - known);
    else if (pins < known) m.held.lose(row, known - pins);
  }
}

const SHMEM_FLAGS = PageFlag.locked | PageFlag.swapbacked;

/** Most pages without mappings but with a count that are followed. */
const ORPHANS_MAX = 100_000;

/** How many pins a count holds, given that other references number less than half the bias (1023 is one pin and a put too many). */
export function nearestPins(count: number): number {
  return Math.floor((count + BIAS / 2) / BIAS);
}

/** Whether an event comes from an interrupt: comm and pid are then the interrupted task's. */
export function inInterrupt(context: number): boolean {
  return context === Context.hardirq || context === Context.softirq || context === Context.nmi;
}

/** Whether a deed is an interrupt's work, in its context or in its thread: what ends there, others began. */
export function byInterrupt(m: Model, {context, task}: Pick<Deed, 'context' | 'task'>): boolean {
  return inInterrupt(context) || m.tasks.isInterruptThread(task);
}

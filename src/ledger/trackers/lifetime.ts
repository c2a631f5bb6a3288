/**
 * Generations: a PFN is a place, not a page. Allocation and free cut its history; nothing pairs across a cut, and what
 * survives one (a pin, a live mapping) is itself evidence.
 *
 * Order at allocation: page_ref_set val=1 then mm_page_alloc up to 6.12, the other way round from 6.14; frozen
 * allocations have no page_ref_set (mm/page_alloc.c). At free: the last put, then mm_page_free; mm_page_free_batched is a
 * second line for the same free.
 */
import {EventKind as K, PageName, type TraceEvent} from '../../events/event.js';
import type {Uses} from './around.js';
import type {Files} from './files.js';
import type {Holdings} from './holdings.js';
import type {WritebackTracker} from './writeback-tracker.js';
import {PageState} from '../tables/page-table.js';

/** A generation that began this recently (in events of its row: none) takes the second event of the same allocation. */
const FRESH = PageState.lifeSeen;

/** Events of functions that work on whole folios, whatever the trace names them by (mm/gup.c, mm/page-writeback.c, 4.20 to 7.3). */
const OF_FOLIOS: ReadonlySet<number> = new Set([K.GupPut, K.AddPin, K.WritebackStart, K.WritebackEnd]);

/** Most allocations that wait for the second of their two events, which comes at once or not at all. */
const HALF_MAX = 100_000;

export class Lifetime {
  allocations = 0;
  frees = 0;
  /** rows whose generation was begun by page_ref_set and still waits for its mm_page_alloc, or the other way round */
  private readonly half = new Map<number, number>();

  constructor(
    private readonly around: Uses<'capture' | 'pages' | 'evidence' | 'book' | 'on'>,
    private readonly held: Holdings,
    private readonly files: Files,
    private readonly writeback: WritebackTracker,
  ) {}

  event(ev: TraceEvent): void {
    const pfn = this.around.capture.pfnOf(ev);
    switch (ev.kind) {
      case K.PageAlloc:
        if (pfn >= 0) this.allocated(ev, pfn);
        break;
      case K.PageFree:
        if (pfn >= 0) this.freed(ev, pfn);
        break;
      case K.PageFreeBatched:
        // The same free again, unless the trace records only this one, or begins between the two.
        if (pfn >= 0 && (!this.around.capture.records(K.PageFree) || this.firstOf(pfn, ev.order))) this.freed(ev, pfn);
        break;
      default: // FolioPutLast: the pointer of a page whose mm_page_free follows
        this.dying = ev.ptrHi !== 0 ? {hi: ev.ptrHi, lo: ev.ptrLo, pid: ev.pid, cpu: ev.cpu} : undefined;
    }
  }

  /** Whether an event is the first that names a page which is followed. */
  private firstOf(pfn: number, order: number): boolean {
    const {book, pages} = this.around;
    return book.lives.follows?.touches(pfn, 1 << Math.max(0, order)) === true && pages.find(pfn) < 0;
  }

  private dying: {hi: number; lo: number; pid: number; cpu: number} | undefined;

  private allocated(ev: TraceEvent, pfn: number): void {
    const {around} = this;
    const {pages} = around;
    this.allocations++;
    const row = pages.row(pfn, ev.t);
    if (row < 0) return;
    this.alone(ev, pfn);
    if (this.half.get(row) === K.RefSet && pages.lastTime[row] === pages.since[row]) {
      this.half.delete(row);
    } else {
      this.begin(ev, row, true);
      if (around.capture.records(K.RefSet)) this.half.set(row, K.PageAlloc);
      if (this.half.size > HALF_MAX) this.half.clear();
    }
    pages.lastTime[row] = ev.t;
    if (ev.order > 0) {
      const size = 1 << ev.order;
      // Tails named one by one before: whatever they were, they are part of this block now.
      for (let i = 1; i < Math.min(size, 1024); i++) {
        const tail = pages.find(pfn + i);
        if (tail >= 0) this.begin(ev, tail);
      }
      pages.order[row] = ev.order;
      pages.setLarge(row, ev.order, true);
    }
    around.book.allocated(row, ev);
    if (ev.mt === 5) around.capture.era.cmaKnown = true;
  }

  /** An event that names a folio by its head. */
  folio(ev: TraceEvent): void {
    if (ev.mayBeTail !== 0 && !OF_FOLIOS.has(ev.kind)) return;
    const pfn = this.around.capture.pfnOf(ev);
    if (pfn >= 0) this.alone(ev, pfn);
  }

  /**
   * A page has a count of its own, is handed out or freed, or is the head of a folio. Where it was a part of another, that was
   * split (split_huge_page_to_list(), split_page(); mm/huge_memory.c, mm/page_alloc.c), or freed unseen. When that was is not
   * known, so what was told of its pages since is not either: each is one of which nothing is known but that it is alone.
   */
  alone(ev: TraceEvent, pfn: number): void {
    const {pages} = this.around;
    for (let head = pages.findHead(pfn); head >= 0; head = pages.findHead(pfn)) {
      const first = pages.pfn[head]!;
      const size = 1 << pages.order[head]!;
      for (let i = 0; i < size; i++) {
        const row = pages.find(first + i);
        if (row >= 0) this.cut(ev.t, row, false);
      }
    }
  }

  /** page_ref_set val=1: the other half of an allocation, or all that the trace shows of one. `previous`: time of the page's event before. */
  setToOne(ev: TraceEvent, row: number, previous: number): void {
    const {pages} = this.around;
    if (this.half.get(row) === K.PageAlloc && previous === pages.since[row]) {
      this.half.delete(row);
      return;
    }
    this.begin(ev, row);
    if (this.around.capture.records(K.PageAlloc)) this.half.set(row, K.RefSet);
    if (this.half.size > HALF_MAX) this.half.clear();
  }

  private begin(ev: TraceEvent, row: number, half = false): void {
    const {around} = this;
    const {pages} = around;
    // Handed out again while something of the old page lives: its free was not seen.
    if ((pages.state[row]! & PageState.free) === 0 && this.holdsAnything(row)) this.tellFreed(ev, row, false);
    const held = PageState.lifeSeen | PageState.free;
    if ((pages.state[row]! & held) === PageState.lifeSeen && around.capture.records(K.PageFree))
      this.breach(ev, row, `line ${ev.line} hands the page out again although its free is not in the trace`);
    const wasFree = (pages.state[row]! & PageState.free) !== 0;
    this.cut(ev.t, row, false, half);
    pages.state[row] = FRESH;
    if (wasFree) pages.sinceCpu[row] = ev.cpu;
  }

  private freed(ev: TraceEvent, pfn: number): void {
    const {around} = this;
    const {pages} = around;
    this.frees++;
    const {dying} = this;
    if (dying && dying.pid === ev.pid && dying.cpu === ev.cpu) around.capture.identity.pair(dying.hi, dying.lo, pfn);
    this.dying = undefined;
    this.alone(ev, pfn);
    if (ev.ptrHi !== 0 && ev.pageName === PageName.pfn)
      around.capture.identity.pair(ev.ptrHi, ev.ptrLo, pfn, 'printed');
    const size = ev.order > 0 ? 1 << ev.order : 1;
    for (let i = 0; i < size; i++) {
      if (i > 0 && (i & 1023) === 0) {
        around.capture.limits.looks += 1024;
        if (around.capture.limits.tired()) break;
      }
      // a free is an event of a followed page too where it is the first one
      const row = i === 0 && this.firstOf(pfn, ev.order) ? pages.row(pfn, ev.t) : pages.find(pfn + i);
      if (row < 0) continue;
      around.book.freed(row, ev, pfn);
      if (pages.pins[row]! > 0) this.freedPinned(ev, row);
      if (this.holdsAnything(row)) this.tellFreed(ev, row, true);
      if (pages.sinceCpu[row]! >= 0) around.capture.skew.caused({t: pages.since[row]!, cpu: pages.sinceCpu[row]!}, ev);
      this.cut(ev.t, row, true);
      pages.state[row] = PageState.lifeSeen | PageState.free;
      this.half.delete(row);
    }
  }

  /** Each pin of a small page is 1024 references: one that is freed with a pin was unpinned, and the unpin has no event. */
  private freedPinned(ev: TraceEvent, row: number): void {
    const {pages, capture} = this.around;
    if ((pages.state[row]! & PageState.large) !== 0) return;
    let from = Infinity;
    for (let r = pages.references[row]; r; r = r.next) if (r.kind === 'pin' && r.line > 0) from = Math.min(from, r.t);
    if (from === Infinity) return;
    capture.audit.breach({
      law: 'unpinned-then-freed',
      what: undefined,
      from,
      to: ev.t,
      pfn: pages.pfn[row]!,
      line: ev.line,
      why: `line ${ev.line} frees the page, which no small page is while it is pinned: its unpin is not in the trace`,
    });
  }

  /** page_ref_mod_and_test ret=1: freed, if the trace has no better event for it. */
  lastReferenceGone(ev: TraceEvent, row: number): void {
    const {around} = this;
    if (around.capture.records(K.PageFree) || around.capture.records(K.PageFreeBatched)) return;
    if (this.holdsAnything(row)) this.tellFreed(ev, row, true);
    this.cut(ev.t, row, true);
    around.pages.state[row] = PageState.lifeSeen | PageState.free;
  }

  private breach(ev: TraceEvent, row: number, why: string): void {
    const {pages, capture} = this.around;
    capture.audit.breach({
      law: 'allocated-then-freed',
      what: undefined,
      from: pages.since[row]!,
      to: ev.t,
      pfn: pages.pfn[row]!,
      line: ev.line,
      why,
    });
  }

  private holdsAnything(row: number): boolean {
    return this.around.pages.references[row] !== undefined || this.around.pages.dma[row] !== undefined;
  }

  private tellFreed(ev: TraceEvent, row: number, seen: boolean): void {
    const {around} = this;
    const deed = around.evidence.deed(ev);
    for (const tell of around.on.freed) tell(row, deed, seen);
  }

  /** `half`: by the other half of an allocation. */
  private cut(t: number, row: number, freed: boolean, half = false): void {
    const {around} = this;
    const {pages} = around;
    around.book.lifeEnded(row, t, freed, half);
    this.writeback.abandon(row);
    for (const tell of around.on.lifeEnded) tell(row, t, freed);
    pages.generation[row]!++;
    pages.order[row] = 0;
    this.held.forget(row);
    pages.reset(row, t);
    this.files.forget(row);
  }
}

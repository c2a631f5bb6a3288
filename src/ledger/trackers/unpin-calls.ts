/**
 * unpin_user_page(), unpin_user_folio(), unpin_user_pages() and their kin. Up to 6.17 each drop in them is a gup_put_folio()
 * that can be probed; from 6.18 on that one is inlined into the first two, and the call itself is the drop (mm/gup.c).
 */
import {Context, EventKind as K, type TraceEvent} from '../../events/event.js';
import {Fn} from '../../events/functions.js';
import {FOLIO_PAGES_MAX, MAX_ORDER, PageState} from '../tables/page-table.js';
import type {Uses} from './around.js';
import {CALL_NS, newUnpinCall, slotOf, type UnpinCall} from './calls.js';
import type {Holdings} from './holdings.js';

/** What unpin_user_pages_dirty_lock() does before it drops. */
const DIRTYING: ReadonlySet<number> = new Set([
  K.MarkDirty,
  K.WritebackDirtyFolio,
  K.WaitOnWriteback,
  K.RefMod,
  K.RefModUnless,
]);
/** A call whose drops are known to leave no event is waited for no longer. */
const QUICK_NS = 100_000;

/** Most tasks whose last call is kept; beyond it those that are over by now are let go. */
const CALLS_MAX = 10_000;

/** Functions that unpin and mark no page dirty: who marks one after them was late (mm/gup.c). */
const MARKS_NOTHING: ReadonlySet<number> = new Set([
  Fn.unpin_user_page,
  Fn.unpin_user_folio,
  Fn.unpin_user_pages,
  Fn.unpin_folio,
  Fn.unpin_folios,
]);

/** Functions that drop a list by another of the family, page by page or whole (mm/gup.c). A program may print the first of the list alone. */
const OUTER: ReadonlySet<number> = new Set([Fn.unpin_user_pages_dirty_lock, Fn.unpin_user_pages]);

export class UnpinCalls {
  /** by function: a gup_put_folio() was seen inside it, so each of its drops shows (up to 6.17, or lists) */
  private readonly dropsShow = new Uint8Array(256);
  /** by function: a call of it was followed by no event of its drop (gup_put_folio() inlined, from 6.18 on) */
  private readonly dropsHidden = new Uint8Array(256);

  constructor(
    private readonly around: Uses<'capture' | 'pages' | 'evidence' | 'calls'>,
    private readonly held: Holdings,
  ) {}

  /** What a look at the head of the same trace told. */
  learnFrom(trial: UnpinCalls): void {
    for (let fn = 0; fn < trial.dropsShow.length; fn++) {
      this.dropsShow[fn]! |= trial.dropsShow[fn]!;
      this.dropsHidden[fn]! |= trial.dropsHidden[fn]!;
    }
  }

  /**
   * unpin_user_page(), unpin_user_folio() and their kin. Up to 6.17 each drop in them is a gup_put_folio() that can be probed;
   * from 6.18 on that one is inlined into the first two. Whether an event of the drop itself comes is seen by the next
   * events of the same context; where none does, the call is the drop.
   */
  call(ev: TraceEvent): void {
    const {around} = this;
    const slot = slotOf(around, ev);
    if (around.capture.records(K.GupPut)) around.capture.drops.called(slot, Math.max(ev.nr, ev.listLength, 1), ev);
    const call = this.at(slot);
    const {pages} = call;
    const nested = call.applied && call.list && call.pid === ev.pid && ev.t - call.deed!.t <= CALL_NS;
    const inList = nested && ev.listLength === 0 && pages.includes(around.capture.pfnOf(ev));
    if (inList) return; // unpin_user_pages() of old kernels calls unpin_user_page() for each page (mm/gup.c, 5.10)
    if (pages.length > 0) pages.length = 0;
    call.folio = -1;
    call.list = ev.listLength > 0;
    call.marks = ev.makeDirty !== 0 && !MARKS_NOTHING.has(ev.fn);
    if (call.list) {
      for (let i = 0; i < ev.listLength; i++) {
        const pfn = around.capture.listedPfn(ev, i);
        if (pfn >= 0) pages.push(pfn);
      }
    } else {
      const pfn = around.capture.pfnOf(ev);
      // what unpin_user_folio() is given is a folio by whatever it is named; a program that prints its PFN does not say so
      if (pfn >= 0 && ev.mayBeTail !== 0 && ev.fn !== Fn.unpin_user_folio) pages.push(pfn);
      else call.folio = pfn;
    }
    call.pid = ev.pid;
    call.next = 0;
    call.done = 0;
    call.t = ev.t;
    call.nr = Math.max(ev.nr, pages.length, 1);
    call.applied = false;
    call.pending = false;
    call.counted = -1;
    if (pages.length === 0 && call.folio < 0) return; // it names nothing that can be resolved
    // Lists and ranges still go through gup_put_folio() where that is recorded; a small page's counts show every drop.
    call.fn = ev.fn;
    const single = !call.list && (call.folio >= 0 || ev.nr <= 1);
    if (around.capture.records(K.GupPut) && (!single || this.dropsShow[call.fn] === 1)) return;
    if (this.around.capture.showsCounts && !this.largeNamed(call)) return;
    call.deed = around.evidence.deed(ev);
    // Known to be the drop itself: the next pin of the page may come before anything else does in this context. One that marks
    // its pages dirty does so first.
    if (this.dropsHidden[call.fn] === 1 && this.dropsShow[call.fn] === 0 && !call.marks) {
      this.apply(call);
      return;
    }
    call.pending = true;
    around.calls.pending.push(slot);
  }

  /** The call of a slot, to be written anew. */
  private at(slot: number): UnpinCall {
    const {unpins} = this.around.calls;
    let call = unpins.get(slot);
    if (call !== undefined) return call;
    if (unpins.size >= CALLS_MAX) for (const [of, {pending}] of unpins) if (!pending) unpins.delete(of);
    unpins.set(slot, (call = newUnpinCall()));
    return call;
  }

  /**
   * Whether a call names a large folio: what its count says of a drop is not told apart from a put. A page of which nothing
   * is known may be a tail of one whose size is not.
   */
  private largeNamed(call: UnpinCall): boolean {
    const pfn = call.folio >= 0 ? call.folio : call.pages[0];
    if (pfn === undefined) return false;
    const row = this.around.pages.findFolio(pfn);
    return row < 0 || (this.around.pages.state[row]! & PageState.large) !== 0;
  }

  /** Before an event is taken: calls that wait for the event of their drop are settled by it. */
  settle(ev: TraceEvent): void {
    const {calls} = this.around;
    const here = slotOf(this.around, ev);
    for (let i = calls.pending.length - 1; i >= 0; i--) {
      const slot = calls.pending[i]!;
      const call = calls.unpins.get(slot)!;
      if (call.pending) {
        if (slot === here && call.pid === ev.pid) this.follows(call, ev);
        else if (ev.t - call.deed!.t > (this.quick(call) ? QUICK_NS : CALL_NS)) this.apply(call);
        else if (this.quick(call) && ev.kind >= K.DmaUnmap && ev.kind <= K.DmaUnmapSgItem) this.apply(call);
      }
      if (!call.pending) calls.pending.splice(i, 1);
    }
  }

  /** Whether a call is over at once, and leaves no event. */
  private quick(call: UnpinCall): boolean {
    return this.dropsHidden[call.fn] === 1 && !call.marks;
  }

  /** The next event of a pending call's own context says whether its drops show. */
  private follows(call: UnpinCall, ev: TraceEvent): void {
    if (ev.kind === K.GupPut) {
      call.pending = false;
      this.dropsShow[call.fn] = 1;
    } else if (ev.kind <= K.RefUnfreeze && ev.val < 0) {
      call.pending = false;
      call.counted = ev.pfn;
    } else if (DIRTYING.has(ev.kind) && !(ev.kind === K.MarkDirty && !call.marks))
      return; // it marks its pages first
    else if (ev.kind === K.UnpinCall && ev.fn !== call.fn && OUTER.has(call.fn) && this.names(ev, call.pages)) {
      call.pending = false; // unpin_user_pages_dirty_lock() calls unpin_user_pages(), that calls unpin_user_page() on 5.10
    } else {
      this.apply(call);
      this.dropsHidden[call.fn] = 1;
    }
  }

  /**
   * The change of a large folio's count is the drop of a call whose gup_put_folio() is inlined, or whose probe was missed or
   * filtered: no probe announced it.
   *
   *     unpin_user_folio: (...) folio=0xffffea0000428000 npages=4
   *     page_ref_mod_and_test: pfn=0x10a00 ... val=-4 ret=0
   */
  inlined(ev: TraceEvent, row: number, delta: number): boolean {
    const {around} = this;
    const call = around.calls.unpins.get(slotOf(around, ev));
    if (call === undefined || call.pid !== ev.pid || call.nr !== -delta || ev.kind !== K.RefModAndTest) return false;
    const named = call.folio >= 0 ? call.folio : (call.pages[0] ?? -1);
    if (call.counted === ev.pfn) {
      if (named < ev.pfn || named - ev.pfn >= FOLIO_PAGES_MAX) return false;
    } else {
      const runs = call.done === 0 && !call.applied && !call.pending && ev.t - call.t <= CALL_NS;
      if (!runs || named < 0 || around.pages.findFolio(named) !== row) return false;
      // where no context is printed, what an interrupt puts within the call looks like its drop, whose own probe is still to come
      if (
        ev.context === Context.unknown &&
        around.capture.records(K.GupPut) &&
        (call.list || this.dropsShow[call.fn] === 1)
      )
        return false;
    }
    call.counted = -1;
    this.held.drop(ev, row, 'pin', call.nr, around.evidence.deed(ev), undefined, -1);
    return true;
  }

  /** Whether an unpin call names one of some pages first. */
  private names(ev: TraceEvent, pages: readonly number[]): boolean {
    const {around} = this;
    const first = ev.listLength === 0 ? around.capture.pfnOf(ev) : around.capture.listedPfn(ev, 0);
    return pages.includes(first);
  }

  /** At the end of the trace no event of a drop comes any more. */
  end(): void {
    const {calls} = this.around;
    for (const slot of calls.pending) {
      const call = calls.unpins.get(slot)!;
      if (call.pending) this.apply(call);
    }
    calls.pending.length = 0;
  }

  /** No event of the drop itself came: the call is it, as far as it names its pages. */
  private apply(call: UnpinCall): void {
    const {around} = this;
    call.pending = false;
    call.applied = true;
    call.left = call.nr;
    const deed = call.deed!;
    const rowOf = (pfn: number): number => {
      const row = around.pages.findFolio(pfn);
      return row >= 0 ? row : around.pages.row(pfn, deed.t);
    };
    if (call.folio >= 0) {
      const row = rowOf(call.folio);
      // so many pages of it at least, of whatever size it is
      if (row >= 0 && call.nr > 1 && !around.pages.is(row, 'orderKnown'))
        around.pages.setLarge(row, Math.min(MAX_ORDER, Math.ceil(Math.log2(call.nr))), false);
      if (row >= 0) this.held.dropCall(row, call.nr, deed, call);
      return;
    }
    const alone = call.pages.length === 1 && call.nr > 1 && !call.list;
    for (const pfn of call.pages) {
      const row = rowOf(pfn);
      if (row < 0) continue;
      // A large folio holds the pages of the range; of small ones each is dropped once, and only the first is named.
      const large = (around.pages.state[row]! & PageState.large) !== 0;
      this.held.dropCall(row, alone && large ? call.nr : 1, deed, call);
    }
  }
}

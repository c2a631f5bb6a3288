/**
 * Probes on the GUP path (try_grab_folio(), gup_put_folio()...): each announces a change of a count, and names its kind and
 * its sub-page.
 *
 * One deed shows as up to four events (pin_user_pages_fast, try_grab_folio_fast, page_ref_mod_unless +1,
 * page_ref_mod +1023). The page_ref event is the change itself. Where page_ref events are recorded they decide; where not,
 * the probe alone does.
 */
import {BIAS, type ReferenceKind} from '../../base/reference.js';
import {Context, EventKind as K, PageName, type TraceEvent} from '../../events/event.js';
import {Fn} from '../../events/functions.js';
import {FOLIO_PAGES_MAX, MAX_ORDER, PageState} from '../tables/page-table.js';
import type {Stacked} from '../tables/evidence.js';
import type {Uses} from './around.js';
import {type Hint, newHint, slotOf, type UnpinCall} from './calls.js';
import type {CoveredPages} from './covered-pages.js';
import type {Holdings} from './holdings.js';
import type {Replay} from './replay.js';

/** A grab's entry comes this soon before its return. */
const ENTRY_NS = 1_000_000;
/** A drop that comes later than that after its call is another one. */
const LATE_NS = 20_000_000;
/** The change of a count follows the probe that announces it this soon, even if an interrupt comes between. */
const HINT_NS = 20_000_000;
/** So long a task may be preempted within a grab (27 ms were seen on an emulated machine). */
const PREEMPTED_NS = 1_000_000_000;
/** Functions into which gup_put_folio() is inlined since 6.18. */
const SINGLES: ReadonlySet<number> = new Set([Fn.unpin_user_page, Fn.unpin_user_folio]);
/** Most tasks whose probe waits for its change while others run. */
const DISPLACED_MAX = 1000;
/** Order of a folio that one entry of the middle page table maps: 2 MiB of 4 KiB pages. */
const PMD_ORDER = 9;

export class Probes {
  /** gup_put_folio probes with their page_ref event */
  matched = 0;
  /** when a grab was last probed whose flags do not tell its kind: the FOLL_* numbering was not known yet */
  lastUnknownGrab = -Infinity;

  private returnsSeen = false;

  constructor(
    private readonly around: Uses<'capture' | 'pages' | 'evidence' | 'calls'>,
    private readonly held: Holdings,
    private readonly counts: Replay,
    private readonly under: CoveredPages,
  ) {}

  grab(ev: TraceEvent): void {
    const {around} = this;
    if (ev.hasFlags !== 0) around.capture.era.fromFlags(ev.gupFlags);
    const hint = this.hint(ev, 'grab', ev.hasFlags !== 0 ? around.capture.era.kindOf(ev.gupFlags) : undefined);
    const call = around.calls.pins.get(ev.pid);
    if (call && ev.context <= Context.task) {
      if (call.start > 0) hint.offset = Math.floor(call.start / (1 << this.under.pageShift)) + call.grabbed;
      call.grabbed += ev.refs;
      hint.counted = true;
    }
    if (hint.kind === undefined && !this.takesNothing(ev)) this.lastUnknownGrab = ev.t;
    if (hint.kind === undefined || hint.pfn < 0) return;
    if (!this.around.capture.showsCounts) this.takeByProbe(hint, ev);
  }

  /** A page that is looked up to be faulted in; the fast ways take one kind always (WARN_ON_ONCE() there): a number with neither was cut off. */
  private takesNothing({hasFlags, gupFlags, fn}: TraceEvent): boolean {
    if (fn === Fn.try_grab_folio_fast || fn === Fn.try_grab_compound_head) return false;
    return hasFlags !== 0 && this.around.capture.era.isNeither(gupFlags);
  }

  grabReturn(ev: TraceEvent): void {
    const {around} = this;
    const slot = around.calls.slot(ev.cpu, ev.context);
    if (around.calls.displaced.size > 0) around.calls.displaced.delete(ev.pid);
    let hint = around.calls.hints[slot];
    if (hint?.from === 'grab' && hint.pid === ev.pid) around.calls.hints[slot] = undefined;
    else hint = this.unreturnedOf(ev);
    if (hint === undefined) {
      this.orphanReturn(ev);
      return;
    }
    this.returnsSeen = true;
    if (ev.ok === 0) {
      const call = around.calls.pins.get(ev.pid);
      if (call && hint.counted) call.grabbed -= hint.refs;
      if (hint.reference) this.held.undo(hint.reference);
      return;
    }
    this.learnFolio(hint, ev);
    this.settle(hint, ev);
  }

  /**
   * The grab that returns, where its slot is taken: by the interrupt's that came between, in forms that print no context,
   * or by another task's that ran on that CPU, where grabs can be preempted (PREEMPT_RT): it may return on another CPU.
   */
  private unreturnedOf(ev: TraceEvent): Hint | undefined {
    const {hints, unreturned} = this.around.calls;
    if (ev.context > Context.task) return undefined;
    let hint = unreturned.get(ev.pid);
    if (hint === undefined) {
      const slot = hints.findIndex((one) => one?.from === 'grab' && one.pid === ev.pid && one.context <= Context.task);
      if (slot < 0) return undefined;
      hint = hints[slot]!;
      hints[slot] = undefined;
    } else unreturned.delete(ev.pid);
    return ev.t - hint.t <= PREEMPTED_NS ? hint : undefined;
  }

  /**
   * A fast grab is given a page and answers its folio: how far that reaches at least. What was taken of the page when it was
   * not known to be a part of it is a reference of the folio. (mm/gup.c: try_grab_folio_fast(), try_grab_folio() of 5.19 to 6.8)
   *
   *     try_grab_folio_fast: (...) page=0xffabc336000e8340 refs=1 flags=0x80401
   *     try_grab_folio_fast_ret: (...) folio=0xffabc336000e8300
   */
  private learnFolio(hint: Hint, ev: TraceEvent): void {
    const {pages, capture} = this.around;
    if (!hint.mayBeTail || hint.pfn < 0) return;
    const head = capture.pfnOf(ev);
    const distance = hint.pfn - head;
    if (head < 0 || distance <= 0 || distance >= FOLIO_PAGES_MAX) return;
    const row = pages.row(head, ev.t);
    if (row < 0) return;
    const {reference} = hint;
    if ((pages.state[row]! & PageState.orderKnown) === 0) pages.setLarge(row, orderFor(distance + hint.refs), false);
    if (reference === undefined || reference.row === row || pages.findFolio(hint.pfn) !== row) return;
    this.held.undo(reference);
    this.takeByProbe(hint, ev);
  }

  /** A grab returned whose entry is not in the trace: it took the page that it names, or one that is not known. */
  private orphanReturn(ev: TraceEvent): void {
    const {around} = this;
    if (!around.capture.records(K.Grab) || !this.returnsSeen || ev.ok === 0) return;
    const pfn = around.capture.pfnOf(ev);
    const row = pfn >= 0 ? around.pages.findFolio(pfn) : -1;
    around.capture.audit.breach({
      law: 'return-has-entry',
      what: 'taken',
      from: ev.t - ENTRY_NS,
      to: ev.t,
      pfn: row >= 0 ? around.pages.pfn[row]! : pfn,
      line: ev.line,
      why: `line ${ev.line} is the return of a grab whose entry is missing`,
    });
  }

  /** A grab that no page_ref event confirmed: the zero page (nothing changed), or events that the trace does not record. */
  private settle(hint: Hint, ev: TraceEvent): void {
    if (hint.reference || hint.kind === undefined || hint.pfn < 0) return;
    if (this.counts.complete()) this.unchanged(hint, ev);
    else this.takeByProbe(hint, ev);
  }

  /** What a probe announces did not show in the counts, although they are recorded: a filter leaves the page's changes out, or it is the zero page. */
  private unchanged(hint: Hint, ev: TraceEvent): void {
    const {pages, capture} = this.around;
    const row = pages.findFolio(hint.pfn);
    capture.audit.page({
      law: 'counts-add-up',
      what: undefined,
      from: hint.t,
      to: ev.t,
      pfn: row >= 0 ? pages.pfn[row]! : hint.pfn,
      line: hint.line,
      why: `line ${hint.line} announces a change of the page's count that no page_ref event shows: others may be missing too`,
    });
  }

  /** A put that no page_ref event followed: the zero page, or a change that the trace does not record. */
  private settlePut(hint: Hint, ev: TraceEvent): void {
    const {around} = this;
    if (hint.done || hint.kind === undefined || hint.pfn < 0) return;
    if (around.capture.certifies(K.RefModAndTest)) this.unchanged(hint, ev);
    if (this.counts.complete()) return;
    const row = around.pages.findFolio(hint.pfn);
    if (row < 0 || (hint.generation !== 0 && hint.generation !== around.pages.generation[row])) return;
    hint.done = true;
    const {t, cpu, task, context, input, line, text, stack} = hint;
    this.held.dropNow(
      row,
      hint.kind,
      hint.refs,
      {t, cpu, task, context, input, line, text, stack},
      undefined,
      -1,
      undefined,
      false,
    );
  }

  put(ev: TraceEvent): void {
    const {around} = this;
    if (ev.hasFlags !== 0) around.capture.era.fromFlags(ev.gupFlags);
    const kind = ev.hasFlags !== 0 ? around.capture.era.kindOf(ev.gupFlags) : 'pin';
    if (kind === 'pin') around.capture.drops.dropped(slotOf(around, ev), ev.refs, ev);
    const hint = this.hint(ev, 'put', kind);
    if (kind === undefined || hint.pfn < 0) return;
    const call = around.calls.unpins.get(slotOf(around, ev));
    const running = around.calls.pins.get(ev.pid);
    // What is put back while pages are pinned is no drop of a call before; of an interrupt's, where no context is printed, it is.
    const inCall =
      running !== undefined && ev.context <= Context.task && !(call?.pid === ev.pid && call.t >= running.t);
    const since = inCall ? running.t : -Infinity;
    if (call?.applied && call.deed!.t > since && call.left > 0 && this.isLate(call, hint)) {
      call.left -= ev.refs;
      hint.done = true; // it came late, inside a call that was taken for all there is
      return;
    }
    if (inCall)
      running.grabbed -= ev.refs; // the fast path undoes its grab
    else if (call?.pid === ev.pid && SINGLES.has(call.fn) && (call.folio === hint.pfn || call.pages[0] === hint.pfn))
      around.capture.era.inlinesUnpins = false;
    if (!this.around.capture.showsCounts) this.dropByProbe(hint, ev);
  }

  /** Whether a put may be the drop of a call that was taken for all there is: of its task, soon after, of what it names as far as that is printed. */
  private isLate({pid, deed, folio, nr, pages: named}: UnpinCall, hint: Hint): boolean {
    if (pid !== hint.pid || hint.t - deed!.t > LATE_NS) return false;
    const {pages} = this.around;
    const row = pages.findFolio(hint.pfn);
    const isOf = (pfn: number): boolean => pfn === hint.pfn || (row >= 0 && pages.findFolio(pfn) === row);
    return folio >= 0 ? isOf(folio) : named.length < nr || named.some(isOf);
  }

  addPin(ev: TraceEvent): void {
    const hint = this.hint(ev, 'grab', 'pin');
    if (hint.pfn >= 0 && !this.around.capture.showsCounts) this.takeByProbe(hint, ev);
  }

  private hint(ev: TraceEvent, from: 'grab' | 'put', kind: ReferenceKind | undefined): Hint {
    const {around} = this;
    const slot = around.calls.slot(ev.cpu, ev.context);
    const before = around.calls.hints[slot];
    if (before?.from === 'grab' && !around.capture.records(K.GrabReturn)) this.settle(before, ev);
    else if (before?.from === 'put') this.settlePut(before, ev);
    // a task that goes on has changed before what it had announced
    if (around.calls.displaced.size > 0 && ev.context === Context.task) around.calls.displaced.delete(ev.pid);
    // Where no context is printed, an interrupt's put may come between a grab and its change.
    if (
      before !== undefined &&
      (before.pid !== ev.pid || (before.from === 'grab' && from === 'put' && ev.context === Context.unknown))
    )
      this.displace(slot, before);
    if (from === 'grab' && around.calls.unreturned.size > 0) around.calls.unreturned.delete(ev.pid);
    if (before?.from === 'grab' && (from === 'put' || before.pid !== ev.pid)) this.keepUnreturned(slot, before);
    const hint = (around.calls.spareHints[slot] ??= newHint());
    hint.from = from;
    hint.pid = ev.pid;
    hint.pfn = around.capture.pfnOf(ev);
    hint.mayBeTail = ev.mayBeTail !== 0;
    hint.ptrHi = ev.ptrHi;
    hint.ptrLo = ev.ptrLo;
    hint.hasPointer = ev.pageName === PageName.pointer;
    hint.kind = kind;
    hint.refs = ev.refs;
    hint.gupFlags = ev.hasFlags !== 0 ? ev.gupFlags : -1;
    hint.t = ev.t;
    hint.cpu = ev.cpu;
    hint.task = around.evidence.tasks.of(ev);
    hint.context = ev.context;
    hint.input = ev.input;
    hint.line = ev.line;
    hint.text = around.evidence.lineOf(ev);
    hint.stack = -1;
    hint.reference = undefined;
    hint.done = false;
    hint.half = false;
    hint.offset = -1;
    hint.counted = false;
    const row = hint.pfn >= 0 ? around.pages.find(hint.pfn) : -1;
    hint.generation = row >= 0 ? around.pages.generation[row]! : 0;
    around.calls.hints[slot] = hint;
    around.evidence.wantStack(hint);
    return hint;
  }

  /** The task of a hint was preempted before its change was printed: the change is still to come, in another's slot. */
  private displace(slot: number, hint: Hint): void {
    const {calls, capture} = this.around;
    if (hint.done || hint.reference !== undefined || hint.context > Context.task || !capture.showsCounts) return;
    if (calls.displaced.size >= DISPLACED_MAX) calls.displaced.clear();
    calls.displaced.set(hint.pid, hint);
    calls.spareHints[slot] = undefined;
  }

  private keepUnreturned(slot: number, hint: Hint): void {
    const {calls, capture} = this.around;
    if (hint.context > Context.task || !capture.records(K.GrabReturn)) return;
    if (calls.unreturned.size >= DISPLACED_MAX) calls.unreturned.clear();
    calls.unreturned.set(hint.pid, hint);
    calls.spareHints[slot] = undefined;
  }

  /** A change by a task whose hint is in no slot of this CPU: it was preempted after the probe, or went on on another CPU. */
  completeElsewhere(ev: TraceEvent, row: number, delta: number): boolean {
    const {calls} = this.around;
    if (ev.context > Context.task) return false;
    let hint = calls.displaced.get(ev.pid);
    for (
      let slot = calls.slot(0, Context.task);
      hint === undefined && slot < calls.hints.length;
      slot += calls.slot(0, 0)
    )
      if (calls.hints[slot]?.pid === ev.pid) hint = calls.hints[slot];
    if (hint === undefined || !this.complete(hint, ev, row, delta)) return false;
    if (hint.from === 'put' || hint.reference !== undefined) calls.displaced.delete(ev.pid);
    return true;
  }

  private takeByProbe(hint: Hint, ev: TraceEvent): void {
    const {around} = this;
    let row = around.pages.findFolio(hint.pfn);
    if (row < 0) row = around.pages.row(hint.pfn, ev.t);
    if (row < 0) return;
    hint.reference = this.held.take(ev, row, hint.kind!, hint.refs, 'probe', this.subOf(hint, row, hint.pfn), hint);
  }

  private dropByProbe(hint: Hint, ev: TraceEvent): void {
    const {around} = this;
    let row = around.pages.findFolio(hint.pfn);
    if (row < 0) row = around.pages.row(hint.pfn, ev.t);
    if (row < 0) return;
    hint.done = true;
    const deed = around.evidence.deed(ev);
    this.held.drop(ev, row, hint.kind!, hint.refs, deed, undefined, -1);
  }

  /**
   * A page_ref event on the CPU and task of a probe that waits for one. Answers whether it was the probe's.
   * Real pair (6.12, small page; the unless/+1023 halves are one pin):
   *   try_grab_folio_fast: (...) page=0xffffea00000bec00 refs=1 flags=0x80001
   *   page_ref_mod_unless: pfn=0x2fb0 ... val=1 ret=1
   *   page_ref_mod: pfn=0x2fb0 ... val=1023
   */
  complete(hint: Hint, ev: TraceEvent, row: number, delta: number): boolean {
    if (!this.samePage(hint, ev, row)) return false;
    const n = hint.refs;
    const large = this.around.pages.isLarge(row, ev.pageFlags);
    if (hint.from === 'grab') {
      if (delta === -n) this.maybePutBack(hint, ev);
      if (hint.kind === undefined || delta <= 0) return false;
      if (hint.kind === 'get') {
        if (delta !== n) return false;
        this.confirmGrab(hint, ev, row);
        return true;
      }
      if (delta === n * BIAS || delta === n * (BIAS - 1) || (large && delta === n)) {
        this.confirmGrab(hint, ev, row);
        return true;
      }
      if (delta === n && !large) {
        hint.half = true; // first half of a fast pin; the second types it
        return true;
      }
      return false;
    }
    if (hint.half && delta === -1) return true; // the put_page() of the last, of which all is dropped already
    if (hint.kind === undefined || delta >= 0 || hint.done) return false;
    // Up to 5.18 put_compound_head() takes all but one by page_ref_sub(), and that one by put_page().
    const butOne = n > 1 && delta === 1 - n && ev.kind === K.RefMod;
    const pinDrop = delta === -n * BIAS || delta === -(n * BIAS - 1);
    if (!(hint.kind === 'pin' ? pinDrop || (large && (delta === -n || butOne)) : delta === -n || butOne)) return false;
    hint.half = butOne;
    hint.done = true;
    this.matched++;
    this.learn(hint, ev, row);
    this.held.drop(ev, row, hint.kind, n, this.around.evidence.deed(ev), hint, -1);
    return true;
  }

  /**
   * A fast grab with FOLL_LONGTERM of a folio that has to move, or of one that was split meanwhile, puts back what it took and
   * fails. No probe tells of that; its return does, where it is probed. (mm/gup.c: try_grab_folio_fast(), try_get_folio())
   */
  private maybePutBack({reference}: Hint, ev: TraceEvent): void {
    if (reference?.kind === 'pin') reference.maybeDropped ??= this.around.evidence.deed(ev);
  }

  private confirmGrab(hint: Hint, ev: TraceEvent, row: number): void {
    this.learn(hint, ev, row);
    if (hint.reference) return;
    const sub = this.around.pages.isLarge(row, ev.pageFlags)
      ? this.subOf(hint, row, hint.pfn >= 0 ? hint.pfn : ev.pfn)
      : ev.pfn;
    hint.reference = this.held.take(ev, row, hint.kind!, hint.refs, 'probe', sub, hint);
  }

  /**
   * The first sub-page that a grab is of. A grab by page table entry names it. One of a whole PMD names the head, wherever in
   * the folio the range lies (gup_fast_pmd_leaf(), mm/gup.c 6.12), and the slow path names the folio: then the address that
   * the call is at tells it, as a PMD maps its folio aligned; -1 where that is not traced.
   */
  private subOf(hint: Hint, row: number, pfn: number): number {
    const {pages} = this.around;
    if ((pages.state[row]! & PageState.large) === 0) return hint.mayBeTail ? pfn : pages.pfn[row]!;
    const head = pages.pfn[row]!;
    if (hint.mayBeTail && pfn !== head) return pfn;
    const order = pages.order[row]!;
    const known = (pages.state[row]! & PageState.orderKnown) !== 0;
    if (known && order < PMD_ORDER && hint.mayBeTail) return pfn; // mapped by entries: it names its page
    if (hint.refs >= 1 << order && known) return head;
    if (hint.offset < 0 || !known) return -1;
    const offset = hint.offset % (1 << order);
    return offset + hint.refs <= 1 << order ? head + offset : -1;
  }

  private samePage(hint: Hint, ev: TraceEvent, row: number): boolean {
    // The page was freed since, or the probe is not of this moment: it announced something else.
    if (ev.t - hint.t > HINT_NS && this.around.capture.time.unit === 'ns') return false;
    if (hint.pfn === ev.pfn && hint.generation !== this.around.pages.generation[row]) return false;
    if (hint.pfn === ev.pfn || hint.pfn < 0) return true;
    // The probe names a tail, page_ref its head.
    if (
      hint.mayBeTail &&
      this.around.pages.isLarge(row, ev.pageFlags) &&
      hint.pfn > ev.pfn &&
      hint.pfn - ev.pfn < FOLIO_PAGES_MAX
    )
      return true;
    // Under a base that is not proven the number tells nothing: CPU, task and change say that it is one deed, and the pair
    // is a vote for the right base.
    return hint.hasPointer && !this.around.capture.identity.proven;
  }

  /** A probe's pointer and a page_ref event's PFN name one page: calibrate, and learn how far a folio reaches. */
  private learn(hint: Hint, ev: TraceEvent, row: number): void {
    const {around} = this;
    if (!hint.hasPointer) {
      if (hint.pfn > ev.pfn) around.pages.setLarge(row, orderFor(hint.pfn - ev.pfn + hint.refs), false);
      return;
    }
    if (!hint.mayBeTail || !this.around.pages.isLarge(row, ev.pageFlags)) {
      around.capture.identity.pair(hint.ptrHi, hint.ptrLo, ev.pfn);
      hint.pfn = ev.pfn;
    } else {
      // A folio reaches at least to the last sub-page grabbed.
      const pages = hint.pfn - ev.pfn + hint.refs;
      if (pages > 1 && (around.pages.state[row]! & PageState.orderKnown) === 0)
        around.pages.setLarge(row, orderFor(pages), false);
    }
  }

  /** The stack of a probe came: the reference taken by it has it too. */
  stackKnown(target: Stacked, stack: number): void {
    if (!('reference' in target)) return;
    const {reference} = target as Hint;
    if (reference && reference.stack < 0) reference.stack = stack;
  }
}

/** Smallest order whose folio has at least `pages` pages. */
function orderFor(pages: number): number {
  return Math.min(MAX_ORDER, Math.max(1, Math.ceil(Math.log2(pages))));
}

/**
 * What events say of pins and gets: probes on the GUP path, page_ref deltas, and call stacks. Who holds what is in
 * holdings.ts.
 *
 * One deed shows as up to four events (pin_user_pages_fast, try_grab_folio_fast, page_ref_mod_unless +1,
 * page_ref_mod +1023). The probe names the kind and the sub-page; the page_ref event is the change itself. Where page_ref
 * events are recorded they decide; where not, the probe alone does.
 */
import {type Hint, newHint, newUnpinCall, type PinCall, type UnpinCall} from './calls.js';
import {Context, EventKind as K, PageFlag, PageName, type TraceEvent} from '../../events/event.js';
import type {Holdings} from './holdings.js';
import type {Model} from '../model.js';
import {MAX_ORDER, PageState} from '../tables/page-table.js';
import {BIAS, byInterrupt} from './ref-counts.js';
import {type Deed, Reference, type ReferenceKind} from '../tables/references.js';
import {symbolOf} from '../tables/stacks.js';

/** Most pin_user_pages calls that run at a time, by task: beyond it their returns are missing. */
const CALLS_MAX = 100_000;
/** A grab's entry comes this soon before its return. */
const ENTRY_NS = 1_000_000;
/** What unpin_user_pages_dirty_lock() does before it drops. */
const DIRTYING: ReadonlySet<number> = new Set([
  K.MarkDirty,
  K.WritebackDirtyFolio,
  K.WaitOnWriteback,
  K.RefMod,
  K.RefModUnless,
]);
/** The event of a drop follows its call this soon, on a slow machine and with an interrupt between. */
const CALL_NS = 20_000_000;
/** A call whose drops are known to leave no event is waited for no longer. */
const QUICK_NS = 100_000;
/** A drop that comes later than that after its call is another one. */
const LATE_NS = 20_000_000;
/** The change of a count follows the probe that announces it this soon, even if an interrupt comes between. */
const HINT_NS = 20_000_000;
/** Order of a folio that one entry of the middle page table maps: 2 MiB of 4 KiB pages. */
const PMD_ORDER = 9;

export class GupTracker {
  /** unpins that page_ref showed and no probe did, although probes were recorded: probes were missed */
  probesMissed = 0;
  /** gup_put_folio probes with their page_ref event */
  probesMatched = 0;
  /** when a grab was last probed whose flags do not tell its kind: the FOLL_* numbering was not known yet */
  lastUnknownGrab = -Infinity;
  /** large-folio deltas whose kind nothing tells */
  ambiguousLarge = 0;
  /** Whether takings of pins are in the trace at all. */
  get takesSeen(): boolean {
    return this.held.takenPins > 0 || this.m.records(K.Grab);
  }

  private ambiguousTarget:
    | {target: {stack: number}; row: number; delta: number; deed: Deed | undefined; reference: Reference | undefined}
    | undefined;

  private readonly held: Holdings;

  constructor(private readonly m: Model) {
    this.held = m.held;
  }

  /** by function: a gup_put_folio() was seen inside it, so each of its drops shows (up to 6.17, or lists) */
  private readonly dropsShow = new Uint8Array(256);
  /** by function: a call of it was followed by no event of its drop (gup_put_folio() inlined, from 6.18 on) */
  private readonly inlined = new Uint8Array(256);

  /** What a look at the head of the same trace told. */
  learnFrom(trial: GupTracker): void {
    for (let fn = 0; fn < trial.dropsShow.length; fn++) {
      this.dropsShow[fn]! |= trial.dropsShow[fn]!;
      this.inlined[fn]! |= trial.inlined[fn]!;
    }
  }

  // --- probes

  grab(ev: TraceEvent): void {
    const {m} = this;
    if (ev.hasFlags !== 0) m.era.fromFlags(ev.gupFlags);
    const hint = this.hint(ev, 'grab', ev.hasFlags !== 0 ? m.era.kindOf(ev.gupFlags) : undefined);
    const call = m.calls.pins.get(ev.pid);
    if (call && ev.context <= Context.task) {
      if (call.start > 0) hint.offset = Math.floor(call.start / 2 ** m.dma.under.pageShift) + call.grabbed;
      call.grabbed += ev.refs;
      hint.counted = true;
    }
    if (hint.kind === undefined) this.lastUnknownGrab = ev.t;
    if (hint.kind === undefined || hint.pfn < 0) return;
    if (!this.refsRecorded()) this.takeByProbe(hint, ev);
  }

  grabReturn(ev: TraceEvent): void {
    const {m} = this;
    const slot = m.calls.slot(ev.cpu, ev.context);
    const hint = m.calls.hints[slot];
    if (!hint || hint.from !== 'grab' || hint.pid !== ev.pid) {
      this.orphanReturn(ev);
      return;
    }
    m.calls.hints[slot] = undefined;
    this.returnsSeen = true;
    if (ev.ok === 0) {
      const call = m.calls.pins.get(ev.pid);
      if (call && hint.counted) call.grabbed -= hint.refs;
      if (hint.reference) this.held.undo(hint.reference);
      return;
    }
    this.settle(hint, ev);
  }

  private returnsSeen = false;

  /** A grab returned whose entry is not in the trace: it took the page that it names, or one that is not known. */
  private orphanReturn(ev: TraceEvent): void {
    const {m} = this;
    if (!m.records(K.Grab) || !this.returnsSeen || ev.ok === 0) return;
    const pfn = m.pfnOf(ev);
    const row = pfn >= 0 ? m.pages.findFolio(pfn) : -1;
    m.audit.breach({
      law: 'return-has-entry',
      what: 'taken',
      from: ev.t - ENTRY_NS,
      to: ev.t,
      pfn: row >= 0 ? m.pages.pfn[row]! : pfn,
      line: ev.line,
      why: `line ${ev.line} is the return of a grab whose entry is missing`,
    });
  }

  /** A grab that no page_ref event confirmed: the zero page (nothing changed), or events that the trace does not record. */
  private settle(hint: Hint, ev: TraceEvent): void {
    if (hint.reference || hint.kind === undefined || hint.pfn < 0) return;
    if (this.m.counts.complete()) return;
    this.takeByProbe(hint, ev);
  }

  /** A put that no page_ref event followed: the zero page, or a change that the trace does not record. */
  private settlePut(hint: Hint): void {
    const {m} = this;
    if (hint.done || hint.kind === undefined || hint.pfn < 0 || m.counts.complete()) return;
    const row = m.pages.findFolio(hint.pfn);
    if (row < 0) return;
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
    );
  }

  put(ev: TraceEvent): void {
    const {m} = this;
    if (ev.hasFlags !== 0) m.era.fromFlags(ev.gupFlags);
    const kind = ev.hasFlags !== 0 ? m.era.kindOf(ev.gupFlags) : 'pin';
    const hint = this.hint(ev, 'put', kind);
    if (kind === undefined || hint.pfn < 0) return;
    const call = m.calls.unpins[m.calls.slot(ev.cpu, ev.context)];
    if (call?.applied && call.pid === ev.pid && call.left > 0 && ev.t - call.deed!.t <= LATE_NS) {
      call.left -= ev.refs;
      hint.done = true; // it came late, inside a call that was taken for all there is
      return;
    }
    const running = m.calls.pins.get(ev.pid);
    if (running && ev.context <= Context.task) running.grabbed -= ev.refs; // the fast path undoes its grab
    if (!this.refsRecorded()) this.dropByProbe(hint, ev);
  }

  addPin(ev: TraceEvent): void {
    const hint = this.hint(ev, 'grab', 'pin');
    if (hint.pfn >= 0 && !this.refsRecorded()) this.takeByProbe(hint, ev);
  }

  /**
   * unpin_user_page(), unpin_user_folio() and their kin. Up to 6.17 each drop in them is a gup_put_folio() that can be probed;
   * from 6.18 on that one is inlined into the first two. Whether an event of the drop itself comes is seen by the next
   * events of the same context; where none does, the call is the drop.
   */
  unpinCall(ev: TraceEvent): void {
    const {m} = this;
    const slot = m.calls.slot(ev.cpu, ev.context);
    const call = (m.calls.unpins[slot] ??= newUnpinCall());
    const {pages} = call;
    const nested = call.applied && call.list && call.pid === ev.pid && ev.t - call.deed!.t <= CALL_NS;
    const inList = nested && ev.listLength === 0 && pages.includes(m.pfnOf(ev));
    if (inList) return; // unpin_user_pages() of old kernels calls unpin_user_page() for each page (mm/gup.c, 5.10)
    pages.length = 0;
    call.folio = -1;
    call.list = ev.listLength > 0;
    if (call.list) {
      for (let i = 0; i < ev.listLength; i++) {
        const pfn = ev.listName === PageName.pfn ? ev.listPfn[i]! : m.identity.pfn(ev.listPtrHi[i]!, ev.listPtrLo[i]!);
        if (pfn >= 0) pages.push(pfn);
      }
    } else {
      const pfn = m.pfnOf(ev);
      if (pfn >= 0 && ev.mayBeTail !== 0) pages.push(pfn);
      else call.folio = pfn;
    }
    call.pid = ev.pid;
    call.next = 0;
    call.nr = Math.max(ev.nr, pages.length, 1);
    call.applied = false;
    call.pending = false;
    if (pages.length === 0 && call.folio < 0) return; // it names nothing that can be resolved
    // Lists and ranges still go through gup_put_folio() where that is recorded; a small page's counts show every drop.
    call.fn = ev.fn;
    const single = !call.list && (call.folio >= 0 || ev.nr <= 1);
    if (m.records(K.GupPut) && (!single || this.dropsShow[call.fn] === 1)) return;
    if (this.refsRecorded() && !this.largeNamed(call)) return;
    call.deed = m.deed(ev);
    call.pending = true;
    m.calls.pending.push(slot);
  }

  /** Whether a call names a large folio: what its count says of a drop is not told apart from a put. */
  private largeNamed(call: UnpinCall): boolean {
    const pfn = call.folio >= 0 ? call.folio : call.pages[0];
    if (pfn === undefined) return false;
    const row = this.m.pages.findFolio(pfn);
    return row >= 0 && (this.m.pages.state[row]! & PageState.large) !== 0;
  }

  /** Before an event is taken: calls that wait for the event of their drop are settled by it. */
  settleCalls(ev: TraceEvent): void {
    const {calls} = this.m;
    const here = calls.slot(ev.cpu, ev.context);
    for (let i = calls.pending.length - 1; i >= 0; i--) {
      const slot = calls.pending[i]!;
      const call = calls.unpins[slot]!;
      if (call.pending) {
        if (slot === here && call.pid === ev.pid) this.follows(call, ev);
        else if (ev.t - call.deed!.t > (this.inlined[call.fn] === 1 ? QUICK_NS : CALL_NS)) this.applyCall(call);
        else if (this.inlined[call.fn] === 1 && ev.kind >= K.DmaUnmap && ev.kind <= K.DmaUnmapSgItem)
          this.applyCall(call);
      }
      if (!call.pending) calls.pending.splice(i, 1);
    }
  }

  /** The next event of a pending call's own context says whether its drops show. */
  private follows(call: UnpinCall, ev: TraceEvent): void {
    if (ev.kind === K.GupPut) {
      call.pending = false;
      this.dropsShow[call.fn] = 1;
    } else if (ev.kind <= K.RefUnfreeze && ev.val < 0) call.pending = false;
    else if (DIRTYING.has(ev.kind))
      return; // it marks its pages first
    else if (ev.kind === K.UnpinCall && call.list && this.names(ev, call.pages)) {
      call.pending = false; // unpin_user_pages_dirty_lock() calls unpin_user_pages(), that calls unpin_user_page() on 5.10
    } else {
      this.applyCall(call);
      this.inlined[call.fn] = 1;
    }
  }

  /** Whether an unpin call names one of some pages first. */
  private names(ev: TraceEvent, pages: readonly number[]): boolean {
    const {m} = this;
    const first =
      ev.listLength === 0
        ? m.pfnOf(ev)
        : ev.listName === PageName.pfn
          ? ev.listPfn[0]!
          : m.identity.pfn(ev.listPtrHi[0]!, ev.listPtrLo[0]!);
    return pages.includes(first);
  }

  /** At the end of the trace no event of a drop comes any more. */
  end(): void {
    const {calls} = this.m;
    for (const slot of calls.pending) {
      const call = calls.unpins[slot]!;
      if (call.pending) this.applyCall(call);
    }
    calls.pending.length = 0;
  }

  /** No event of the drop itself came: the call is it, as far as it names its pages. */
  private applyCall(call: UnpinCall): void {
    const {m} = this;
    call.pending = false;
    call.applied = true;
    call.left = call.nr;
    const deed = call.deed!;
    const rowOf = (pfn: number): number => {
      const row = m.pages.findFolio(pfn);
      return row >= 0 ? row : m.pages.row(pfn, deed.t);
    };
    if (call.folio >= 0) {
      const row = rowOf(call.folio);
      if (row >= 0) this.held.dropCall(row, call.nr, deed, call);
      return;
    }
    const alone = call.pages.length === 1 && call.nr > 1 && !call.list;
    for (const pfn of call.pages) {
      const row = rowOf(pfn);
      if (row < 0) continue;
      // A large folio holds the pages of the range; of small ones each is dropped once, and only the first is named.
      const large = (m.pages.state[row]! & PageState.large) !== 0;
      this.held.dropCall(row, alone && large ? call.nr : 1, deed, call);
    }
  }

  pinCall(ev: TraceEvent): void {
    const {m} = this;
    if (ev.kind === K.PinCall) {
      const before = m.calls.pins.get(ev.pid);
      if (before !== undefined) this.noReturn(before, ev);
      const flags = ev.hasFlags !== 0 ? ev.gupFlags : -1;
      m.calls.pins.set(ev.pid, {call: m.calls.nextCall(), gupFlags: flags, t: ev.t, start: ev.start, grabbed: 0});
      if (m.calls.pins.size > CALLS_MAX) {
        m.calls.pins.clear();
        m.limits.hit('calls', CALLS_MAX);
      }
      return;
    }
    const call = m.calls.pins.get(ev.pid);
    if (!call) return;
    m.calls.pins.delete(ev.pid);
    this.balance(call, ev);
    const task = m.tasks.of(ev);
    for (const tell of m.on.pinCallReturned) tell(task, call.call, call.gupFlags, ev.ret, () => m.deed(ev));
  }

  /** The pages that a pin call grabbed are those it returns. */
  private balance(call: PinCall, ev: TraceEvent): void {
    const {m} = this;
    if (!m.records(K.Grab) || ev.hasRet === 0 || ev.ret < 0) return;
    if (call.grabbed === ev.ret) {
      if (ev.ret > 0) m.audit.balanced++;
      return;
    }
    // Grabs that were undone, or of the zero page, leave more than the call returns.
    if (call.grabbed > ev.ret) return;
    m.audit.breach({
      law: 'grabs-sum-to-return',
      what: 'taken',
      from: call.t,
      to: ev.t,
      pfn: -1,
      line: ev.line,
      why: `the call that returns at line ${ev.line} pinned ${ev.ret} pages, and ${call.grabbed} grabs of it are in the trace`,
    });
  }

  /** A task is in one call at a time (none of the pin_user_pages family calls another): the return of the one before is missing. */
  private noReturn(call: PinCall, ev: TraceEvent): void {
    const {m} = this;
    if (!m.records(K.PinReturn)) return;
    m.audit.breach({
      law: 'call-returns',
      what: 'taken',
      from: call.t,
      to: ev.t,
      pfn: -1,
      line: ev.line,
      why: `the task calls again at line ${ev.line} and its call before has no return in the trace: what that pinned is not known`,
    });
  }

  private hint(ev: TraceEvent, from: 'grab' | 'put', kind: ReferenceKind | undefined): Hint {
    const {m} = this;
    const slot = m.calls.slot(ev.cpu, ev.context);
    const before = m.calls.hints[slot];
    if (before?.from === 'grab' && !m.records(K.GrabReturn)) this.settle(before, ev);
    else if (before?.from === 'put') this.settlePut(before);
    const hint = (m.calls.spareHints[slot] ??= newHint());
    hint.from = from;
    hint.pid = ev.pid;
    hint.pfn = m.pfnOf(ev);
    hint.mayBeTail = ev.mayBeTail !== 0;
    hint.ptrHi = ev.ptrHi;
    hint.ptrLo = ev.ptrLo;
    hint.hasPointer = ev.pageName === PageName.pointer;
    hint.kind = kind;
    hint.refs = ev.refs;
    hint.gupFlags = ev.hasFlags !== 0 ? ev.gupFlags : -1;
    hint.t = ev.t;
    hint.cpu = ev.cpu;
    hint.task = m.tasks.of(ev);
    hint.context = ev.context;
    hint.input = ev.input;
    hint.line = ev.line;
    hint.text = m.lineOf(ev);
    hint.stack = -1;
    hint.reference = undefined;
    hint.done = false;
    hint.half = false;
    hint.offset = -1;
    hint.counted = false;
    const row = hint.pfn >= 0 ? m.pages.find(hint.pfn) : -1;
    hint.generation = row >= 0 ? m.pages.generation[row]! : 0;
    m.calls.hints[slot] = hint;
    m.wantStack(hint);
    return hint;
  }

  private refsRecorded(): boolean {
    return this.m.records(K.RefModAndTest) || this.m.records(K.RefMod);
  }

  private takeByProbe(hint: Hint, ev: TraceEvent): void {
    const {m} = this;
    let row = m.pages.findFolio(hint.pfn);
    if (row < 0) row = m.pages.row(hint.pfn, ev.t);
    if (row < 0) return;
    hint.reference = this.held.take(ev, row, hint.kind!, hint.refs, 'probe', this.subOf(hint, row, hint.pfn), hint);
  }

  private dropByProbe(hint: Hint, ev: TraceEvent): void {
    const {m} = this;
    let row = m.pages.findFolio(hint.pfn);
    if (row < 0) row = m.pages.row(hint.pfn, ev.t);
    if (row < 0) return;
    hint.done = true;
    const deed = m.deed(ev);
    this.held.drop(ev, row, hint.kind!, hint.refs, deed, undefined, -1);
  }

  // --- page_ref events

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
    const large = this.isLarge(ev, row);
    if (hint.from === 'grab') {
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
    if (hint.kind === undefined || delta >= 0 || hint.done) return false;
    const pinDrop = delta === -n * BIAS || delta === -(n * BIAS - 1);
    if (!(hint.kind === 'pin' ? pinDrop || (large && delta === -n) : delta === -n)) return false;
    hint.done = true;
    this.probesMatched++;
    this.learn(hint, ev, row);
    this.held.drop(ev, row, hint.kind, n, this.m.deed(ev), hint, -1);
    return true;
  }

  private confirmGrab(hint: Hint, ev: TraceEvent, row: number): void {
    this.learn(hint, ev, row);
    if (hint.reference) return;
    const sub = this.isLarge(ev, row) ? this.subOf(hint, row, hint.pfn >= 0 ? hint.pfn : ev.pfn) : ev.pfn;
    hint.reference = this.held.take(ev, row, hint.kind!, hint.refs, 'probe', sub, hint);
  }

  /**
   * The first sub-page that a grab is of. A grab by page table entry names it. One of a whole PMD names the head, wherever in
   * the folio the range lies (gup_fast_pmd_leaf(), mm/gup.c 6.12), and the slow path names the folio: then the address that
   * the call is at tells it, as a PMD maps its folio aligned; -1 where that is not traced.
   */
  private subOf(hint: Hint, row: number, pfn: number): number {
    const {pages} = this.m;
    if ((pages.state[row]! & PageState.large) === 0) return hint.mayBeTail ? pfn : pages.pfn[row]!;
    const head = pages.pfn[row]!;
    if (hint.mayBeTail && pfn !== head) return pfn;
    const order = pages.order[row]!;
    const known = (pages.state[row]! & PageState.orderKnown) !== 0;
    if (known && order < PMD_ORDER && hint.mayBeTail) return pfn; // mapped by entries: it names its page
    if (hint.refs >= 2 ** order && known) return head;
    if (hint.offset < 0 || !known) return -1;
    const offset = hint.offset % 2 ** order;
    return offset + hint.refs <= 2 ** order ? head + offset : -1;
  }

  private samePage(hint: Hint, ev: TraceEvent, row: number): boolean {
    // The page was freed since, or the probe is not of this moment: it announced something else.
    if (ev.t - hint.t > HINT_NS && this.m.time.unit === 'ns') return false;
    if (hint.pfn === ev.pfn && hint.generation !== this.m.pages.generation[row]) return false;
    if (hint.pfn === ev.pfn || hint.pfn < 0) return true;
    // The probe names a tail, page_ref its head.
    if (hint.mayBeTail && this.isLarge(ev, row) && hint.pfn > ev.pfn && hint.pfn - ev.pfn < 2 ** 18) return true;
    // Under a base that is not proven the number tells nothing: CPU, task and change say that it is one deed, and the pair
    // is a vote for the right base.
    return hint.hasPointer && !this.m.identity.proven;
  }

  /** A probe's pointer and a page_ref event's PFN name one page: calibrate, and learn how far a folio reaches. */
  private learn(hint: Hint, ev: TraceEvent, row: number): void {
    const {m} = this;
    if (!hint.hasPointer) {
      if (hint.pfn > ev.pfn) m.pages.setLarge(row, orderFor(hint.pfn - ev.pfn + hint.refs), false);
      return;
    }
    if (!hint.mayBeTail || !this.isLarge(ev, row)) {
      m.identity.pair(hint.ptrHi, hint.ptrLo, ev.pfn);
      hint.pfn = ev.pfn;
    } else {
      // A folio reaches at least to the last sub-page grabbed.
      const pages = hint.pfn - ev.pfn + hint.refs;
      if (pages > 1 && (m.pages.state[row]! & PageState.orderKnown) === 0)
        m.pages.setLarge(row, orderFor(pages), false);
    }
  }

  private isLarge(ev: TraceEvent, row: number): boolean {
    return (ev.pageFlags & PageFlag.head) !== 0 || (this.m.pages.state[row]! & PageState.large) !== 0;
  }

  /** A change by the bias that no probe announced. */
  byDelta(ev: TraceEvent, row: number, delta: number): boolean {
    if (this.isLarge(ev, row)) return false;
    if (delta > 0) {
      const n = units(delta, BIAS) || units(delta, BIAS - 1);
      if (n === 0) return false;
      this.held.take(ev, row, 'pin', n, 'delta', ev.pfn, undefined);
      return true;
    }
    const n = units(-delta, BIAS) || units(1 - delta, BIAS);
    if (n === 0) return false;
    if (this.m.records(K.GupPut)) this.probesMissed++;
    this.held.drop(ev, row, 'pin', n, this.m.deed(ev), undefined, ev.pfn);
    return true;
  }

  /**
   * +n or -n of a large folio that no probe explains. A fast grab of several pages at once (page_ref_mod_unless +n) is a
   * pin or a get, and nothing but a stack could tell which: it is held as a pin by guess, so that whatever turns on it is
   * possible only. Single references are left alone: LRU batches, migration and lookups take those too.
   */
  ambiguous(ev: TraceEvent, row: number, delta: number): void {
    const {m} = this;
    if (m.records(K.Grab) && m.records(K.GupPut)) {
      if (delta < 0) this.maybeDropped(ev, row, -delta);
      return;
    }
    this.ambiguousLarge++;
    if (delta >= 2 && ev.kind === K.RefModUnless) {
      const reference = this.held.take(ev, row, 'pin', delta, 'guess', -1, undefined);
      this.ambiguousTarget = {target: reference, row, delta, deed: undefined, reference};
      return;
    }
    if (delta <= -2 && ev.kind === K.RefModAndTest) {
      for (let r = m.pages.references[row]; r; r = r.next) {
        if (r.knownBy !== 'guess' || r.n !== -delta) continue;
        this.held.drop(ev, row, 'pin', -delta, m.deed(ev), undefined, -1);
        return;
      }
    }
    const deed = m.deed(ev);
    this.ambiguousTarget = {target: deed, row, delta, deed, reference: undefined};
  }

  /**
   * A change of a large folio's count that no probe explains: a probe that was missed in an interrupt is such. A put of one
   * reference is nothing special in a task, but it is in an interrupt, where pins end.
   */
  private maybeDropped(ev: TraceEvent, row: number, n: number): void {
    const {m} = this;
    const first = m.pages.references[row];
    if (first === undefined) return;
    if (n === 1 && !byInterrupt(m, {context: ev.context, task: m.tasks.of(ev)})) return;
    for (let r: Reference | undefined = first; r; r = r.next)
      if (r.kind === 'pin' && r.n >= n && r.maybeDropped === undefined) r.maybeDropped = m.deed(ev);
  }

  /** The stack of an event came: it may name what the event could not. */
  stackKnown(target: {stack: number}, stack: number): void {
    const {m} = this;
    if (target instanceof Object && 'reference' in target) {
      const {reference} = target as Hint;
      if (reference && reference.stack < 0) reference.stack = stack;
    }
    const waiting = this.ambiguousTarget;
    if (!waiting || waiting.target !== target) return;
    this.ambiguousTarget = undefined;
    const {row, delta, deed, reference} = waiting;
    const frames = m.stacks.get(stack).map(symbolOf);
    if (reference) {
      if (frames.some(isPinFunction)) reference.knownBy = 'stack';
      else if (frames.some(isGetFunction)) this.held.undo(reference);
    } else if (deed && delta < 0 && frames.some(isUnpinFunction) && m.pages.pins[row]! > 0) {
      this.held.dropNow(row, 'pin', -delta, deed, undefined, -1, undefined);
    } else if (deed && delta > 0 && frames.some(isPinFunction)) {
      const {t, cpu, task, context, input, line, text} = deed;
      const pin = new Reference('pin', delta, 'stack', row, -1, t, cpu, task, context, input, line, text);
      pin.stack = stack;
      this.held.hold(row, pin);
    }
  }

  /**
   * A plain put names no kind. But when a page's count leaves no room for all the gets it holds, one was put: beside
   * the pins there are its mappings, its page cache and private references, and then the gets.
   */
  putByCount(ev: TraceEvent, row: number, delta: number): void {
    const {m} = this;
    const {pages} = m;
    if (delta >= 0 || pages.state[row]! & PageState.large) return;
    const base = m.counts.basis(row);
    if (base < 0 || pages.count[row]! < 0) return;
    const room = pages.count[row]! - BIAS * pages.pins[row]! - base;
    const gone = pages.gets[row]! - Math.max(0, room);
    if (gone > 0) this.held.drop(ev, row, 'get', Math.min(gone, -delta), m.deed(ev), undefined, ev.pfn);
  }
}

/** How many units a change is made of, 0 when it is not whole. An integer for V8 too: `/` alone makes a double of it. */
function units(change: number, unit: number): number {
  return change % unit === 0 ? (change / unit) | 0 : 0;
}

/** Smallest order whose folio has at least `pages` pages. */
function orderFor(pages: number): number {
  return Math.min(MAX_ORDER, Math.max(1, Math.ceil(Math.log2(pages))));
}

/** Functions that take pins and nothing else (mm/gup.c, lib/iov_iter.c of 6.5 and later). */
function isPinFunction(symbol: string): boolean {
  return (
    symbol.startsWith('pin_user_pages') || symbol === 'iov_iter_extract_pages' || symbol.startsWith('memfd_pin_folios')
  );
}

/** Functions that take plain references and nothing else. */
function isGetFunction(symbol: string): boolean {
  return symbol.startsWith('get_user_pages') || symbol.startsWith('iov_iter_get_pages');
}

function isUnpinFunction(symbol: string): boolean {
  return (
    symbol.startsWith('unpin_user_') || symbol.startsWith('unpin_folio') || symbol.startsWith('__bio_release_pages')
  );
}

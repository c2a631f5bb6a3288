/**
 * Who holds what: the pins and gets of every page, taken and dropped. Which reference a drop drops is chosen in pairing.ts,
 * and which pages of a folio it is of in sub-pages.ts.
 */
import {type Hint, slotOf, type UnpinCall} from './calls.js';
import {Context, EventKind as K, type TraceEvent} from '../../events/event.js';
import type {Drop} from '../listener.js';
import type {Uses} from './around.js';
import {Excess} from '../tables/excess.js';
import {PageState, UNKNOWN_COUNT} from '../tables/page-table.js';
import {chooseReferences} from './pairing.js';
import {MIXED, SubPages} from './sub-pages.js';
import type {KnownBy, ReferenceKind} from '../../base/reference.js';
import {type Deed, Mixed, Reference} from '../tables/references.js';

/** Most references of one page that are told apart: each drop looks through them. */
const OF_A_PAGE_MAX = 1000;
/** Most references held at a time that are told apart, over all pages: 1.4 GB with all that is kept of their pages. */
const LIVE_MAX = 1_000_000;

/** A change of a count is printed this soon after it, on a virtual machine too. */
const PRINTED_NS = 1_000_000;

export class Holdings {
  /** references ever taken, of those that the trace shows or lets derive */
  takenPins = 0;
  takenGets = 0;
  /** from the end of an I/O to the drop of its pin, of pins that are for one I/O: the longest, in ns or ticks */
  longestToDrop = 0;
  /** drops of pins that were not seen to be taken */
  readonly excess = new Excess();
  /** of these, taken before the trace began: held, but not taken in it */
  private earlierPins = 0;
  private earlierGets = 0;
  /** references in the pages' lists */
  private live = 0;
  private readonly subPages: SubPages;

  constructor(private readonly around: Uses<'capture' | 'pages' | 'evidence' | 'book' | 'calls' | 'on'>) {
    this.subPages = new SubPages(around);
  }

  /** A taking that the event at hand shows. `sub`: first sub-page, -1 when only the folio is known. */
  take(
    ev: TraceEvent,
    row: number,
    kind: ReferenceKind,
    n: number,
    knownBy: KnownBy,
    sub: number,
    hint: Hint | undefined,
  ): Reference {
    const {around} = this;
    const reference = new Reference(
      kind,
      n,
      knownBy,
      row,
      sub,
      ev.t,
      ev.cpu,
      around.evidence.tasks.of(ev),
      ev.context,
      ev.input,
      ev.line,
      around.evidence.lineOf(ev),
    );
    if (hint) {
      reference.gupFlags = hint.gupFlags;
      reference.stack = hint.stack;
    }
    const call = around.calls.pins.get(ev.pid);
    if (call && kind === 'pin') {
      reference.call = call.call;
      if (reference.gupFlags < 0) reference.gupFlags = call.gupFlags;
    }
    if (hint && hint.offset >= 0 && hint.pfn === around.pages.pfn[row] && n === 1)
      reference.subCertain = hint.offset === 0;
    reference.subNamed = hint !== undefined && hint.mayBeTail && hint.pfn === sub && sub !== around.pages.pfn[row];
    if (reference.stack < 0) around.evidence.wantStack(reference);
    if ((around.pages.state[row]! & PageState.free) !== 0) this.whileFree(ev, row);
    this.hold(row, reference, hint?.from === 'grab' && knownBy === 'probe' && hint.line !== ev.line ? hint.line : 0);
    return reference;
  }

  /** Taken in the trace: what every command counts. */
  get pins(): number {
    return this.takenPins - this.earlierPins;
  }

  get gets(): number {
    return this.takenGets - this.earlierGets;
  }

  /** A page holds a reference from here on. `probe`: line of the probe that announced it, 0 none. */
  hold(row: number, reference: Reference, probe = 0): void {
    this.count(row, reference);
    this.around.book.taken(row, reference, probe);
    this.list(row, reference);
  }

  private count(row: number, reference: Reference): void {
    const {pages} = this.around;
    if (reference.kind === 'pin') {
      pages.pins[row]! += reference.n;
      this.takenPins += reference.n;
      if (!Number.isFinite(reference.t)) this.earlierPins += reference.n;
    } else {
      pages.gets[row]! += reference.n;
      this.takenGets += reference.n;
      if (!Number.isFinite(reference.t)) this.earlierGets += reference.n;
    }
  }

  /** Adds a reference to its page's list and tells of it. */
  private list(row: number, reference: Reference): void {
    const {pages} = this.around;
    if (this.live >= LIVE_MAX || pages.listed[row]! >= OF_A_PAGE_MAX) {
      pages.state[row]! |= PageState.unlisted;
      this.around.capture.limits.hit('references');
      return;
    }
    this.live++;
    pages.listed[row]!++;
    reference.next = pages.references[row];
    pages.references[row] = reference;
    if (reference.kind === 'pin') this.excess.taken(row, pages.generation[row]!, reference);
    for (const tell of this.around.on.taken) tell(row, reference);
  }

  /** Pins that the count which the event at hand prints holds and no event showed: from before the trace, or lost. */
  derived(ev: TraceEvent, row: number, n: number, before: boolean): void {
    const pfn = this.around.pages.pfn[row]!;
    const reference = new Reference('pin', n, 'count', row, pfn, -Infinity, -1, -1, -1, 0, 0, '');
    this.count(row, reference);
    this.around.book.derived(row, reference, ev, before);
    this.list(row, reference);
  }

  /** How the kind of a reference is known turns out to be better. */
  knownBetter(reference: Reference, by: KnownBy): void {
    reference.knownBy = by;
    this.around.book.knownBetter(reference);
  }

  /** Pins that are gone although no event showed it: the oldest. */
  lose(row: number, n: number): void {
    const {from, unmatched} = chooseReferences(this.around, row, 'pin', n, undefined, -1);
    for (const {reference, n: some} of from) this.withdraw(reference, some);
    this.unlisted(row, 'pin', unmatched);
  }

  /** A grab that failed after all. */
  undo(reference: Reference): void {
    if (reference.n > 0) this.withdraw(reference, reference.n);
  }

  /**
   * Whether who took pins of several pages drops all but one, not of the last, and no device has had them yet: what stays is for all of
   * them, as they are one folio (io_coalesce_buffer(), io_uring/rsrc.c).
   */
  private leavesOne(
    {n, kind, sub, gupFlags, task, deviceWrote, ioEnded}: Reference,
    dropped: number,
    from: number,
    deed: Deed,
  ): boolean {
    if (kind !== 'pin' || n < 2 || dropped !== n - 1 || deed.task !== task || deed.context > Context.task) return false;
    if (from >= 0 && from === sub) return false;
    if (deviceWrote || ioEnded !== undefined) return false;
    return gupFlags >= 0 && this.around.capture.era.isLongterm(gupFlags) === true;
  }

  private withdraw(reference: Reference, n: number): void {
    this.reduce(reference, n);
    this.around.book.withdrawn(reference);
    for (const withdrawn of this.around.on.withdrawn) withdrawn(reference, n);
  }

  /** `from`: the first sub-page dropped, -1 not known. */
  private reduce(reference: Reference, n: number, from = -1): void {
    const {pages} = this.around;
    const {row} = reference;
    if (from === reference.sub && from >= 0 && n < reference.n) reference.sub += n;
    else if (n < reference.n && from + n !== reference.sub + reference.n) reference.subCertain = false;
    reference.n -= n;
    if (reference.mixed !== undefined) reference.mixed.gone += n;
    if (reference.kind === 'pin') pages.pins[row]! -= n;
    else pages.gets[row]! -= n;
    if (reference.n > 0) return;
    let at = pages.references[row];
    if (at === reference) pages.references[row] = reference.next;
    else {
      while (at && at.next !== reference) at = at.next;
      if (!at) return;
      at.next = reference.next;
    }
    this.live--;
    pages.listed[row]!--;
  }

  /** The page of a row is gone, and what it held with it. */
  forget(row: number): void {
    this.live -= this.around.pages.listed[row]!;
  }

  /** Whether every reference of a folio names other pages than [first, first + n): what is dropped of those is none of them. */
  private othersOnly(row: number, kind: ReferenceKind, first: number, n: number): boolean {
    const {pages} = this.around;
    if ((pages.state[row]! & (PageState.unlisted | MIXED[kind])) !== 0) return false;
    for (let r = pages.references[row]; r; r = r.next)
      if (r.kind === kind && (!r.subNamed || !r.subCertain || (first < r.sub + r.span && r.sub < first + n)))
        return false;
    return true;
  }

  /** A drop came that may be of any reference of its kind: which of them is left is not known from here on. */
  private mix(row: number, kind: ReferenceKind): void {
    const {references} = this.around.pages;
    let mixed: Mixed | undefined;
    for (let r = references[row]; r; r = r.next) if (r.kind === kind) mixed ??= r.mixed;
    mixed ??= new Mixed();
    for (let r = references[row]; r; r = r.next) {
      if (r.kind !== kind) continue;
      mixed.maybeDropped ??= r.maybeDropped;
      mixed.since = Math.min(mixed.since, r.t);
      if (r.mixed !== undefined) continue;
      r.mixed = mixed;
      r.mixedAfter = mixed.count;
      mixed.joins(r);
    }
  }

  /**
   * Somebody pins or unpins a page that was freed: that it was handed out left no event. Lost, or compaction gave a free page to
   * migration (mm/compaction.c compaction_alloc()): what happened to it until now is not known.
   */
  private whileFree(ev: TraceEvent, row: number): void {
    const {pages, capture} = this.around;
    pages.state[row]! &= ~PageState.free;
    if (!capture.records(K.PageAlloc)) return;
    capture.audit.breach({
      law: 'free-until-allocated',
      what: undefined,
      from: pages.since[row]!,
      to: ev.t,
      pfn: pages.pfn[row]!,
      line: ev.line,
      why: `line ${ev.line} is about a page that was freed and not handed out again`,
    });
  }

  /** Of `n` drops that no listed reference explains, those that an unlisted one does: it is gone from the counts. */
  private unlisted(row: number, kind: ReferenceKind, n: number): number {
    const {pages} = this.around;
    if (n === 0 || (pages.state[row]! & PageState.unlisted) === 0) return 0;
    const held = kind === 'pin' ? pages.pins : pages.gets;
    const gone = Math.min(n, held[row]!);
    held[row]! -= gone;
    return gone;
  }

  /** A dropping that the event at hand shows. `hint`: the probe of the same deed. */
  drop(
    ev: TraceEvent,
    row: number,
    kind: ReferenceKind,
    n: number,
    deed: Deed,
    hint: Hint | undefined,
    sub: number,
  ): void {
    const {around} = this;
    if ((around.pages.state[row]! & PageState.free) !== 0 && kind === 'pin') this.whileFree(ev, row);
    const call = around.calls.unpins.get(slotOf(around, ev));
    const counted = ev.kind <= K.RefUnfreeze;
    const running = call?.pid === ev.pid && call.done < call.nr;
    this.dropNow(row, kind, n, deed, hint, sub, running ? call : undefined, counted);
  }

  /** A drop that only the call it happened in shows. */
  dropCall(row: number, n: number, deed: Deed, call: UnpinCall): void {
    this.dropNow(row, 'pin', n, deed, undefined, -1, call, false);
  }

  /** The same of a deed of before. `call`: the unpin call it is part of; `counted`: a page_ref event shows it. */
  dropNow(
    row: number,
    kind: ReferenceKind,
    n: number,
    deed: Deed,
    hint: Hint | undefined,
    sub: number,
    call: UnpinCall | undefined,
    counted: boolean,
  ): void {
    const {around} = this;
    const {pages} = around;
    const large = (pages.state[row]! & PageState.large) !== 0;
    const wanted = large ? this.subPages.of(row, kind, n, call, deed) : sub >= 0 ? sub : pages.pfn[row]!;
    // A count is printed after it has changed: it had not before the probe. Where that was not seen nobody knows since when.
    const began = hint?.t ?? call?.t ?? (counted ? deed.t - this.printedAfter : deed.t);
    if (call !== undefined && kind === 'pin') {
      call.done += n;
      call.t = deed.t;
    }
    const told = !large || (wanted >= 0 && this.subPages.told);
    const named = large && wanted >= 0 && call !== undefined && call.pages.includes(wanted);
    const chosen =
      named && this.othersOnly(row, kind, wanted, n)
        ? {from: [], unmatched: n, how: 'no reference of these pages is known', certain: false}
        : chooseReferences(around, row, kind, n, deed, wanted);
    if (!chosen.certain && chosen.from.length > 0) this.mix(row, kind);
    chosen.from.find(({reference}) => reference.mixed !== undefined)?.reference.mixed?.add(deed, began);
    if ((!told && !chosen.certain) || (large && astray(chosen.from, wanted, n))) pages.state[row]! |= MIXED[kind];
    for (const {reference, n: some, first} of chosen.from) {
      const {n: taken, sub: firstPage, subCertain} = reference;
      const staysWhole = large && this.leavesOne(reference, some, call?.list === true ? wanted : -1, deed);
      reference.dropped = deed;
      reference.droppedFrom = began;
      reference.dropCertain = chosen.certain && reference.mixed === undefined;
      if (reference.dropCertain && reference.line > 0 && this.seenWhole(row))
        around.capture.skew.caused(reference, deed);
      if (
        reference.ioEnded !== undefined &&
        reference.gupFlags >= 0 &&
        !around.capture.era.isLongterm(reference.gupFlags)
      )
        this.longestToDrop = Math.max(this.longestToDrop, deed.t - reference.ioEnded.t);
      this.reduce(reference, some, wanted >= 0 ? first : -1);
      if (staysWhole) {
        reference.whole = taken;
        reference.sub = firstPage;
        reference.subCertain = subCertain;
      }
      const left = kind === 'pin' ? pages.pins[row] : pages.gets[row];
      if (reference.mixed !== undefined && left === 0 && chosen.unmatched === 0) reference.mixed.settled = true;
    }
    chosen.unmatched -= this.unlisted(row, kind, chosen.unmatched);
    if (large && (kind === 'pin' ? pages.pins[row] : pages.gets[row]) === 0) pages.state[row]! &= ~MIXED[kind];
    const [first] = chosen.from;
    // The only reference that could be meant, dropped whole: its pages are those.
    const all = large && wanted < 0 && chosen.certain && first!.reference.n === 0 && first!.n === n;
    const whole = first?.reference.n === 0 ? first.reference.whole : 0;
    const subFirst =
      whole > 0 && chosen.certain ? first!.reference.sub : wanted >= 0 ? wanted : all ? first!.reference.sub : -1;
    if (chosen.unmatched > 0 && kind === 'pin') {
      pages.state[row]! |= PageState.pinsUnknown;
      this.excess.add(row, pages.generation[row]!, deed);
    }
    const drop: Drop = {
      kind,
      row,
      n,
      deed,
      probe: hint ? {line: hint.line, input: hint.input, text: hint.text} : undefined,
      from: chosen.from,
      unmatched: chosen.unmatched,
      sub: subFirst >= 0 ? subFirst : pages.pfn[row]!,
      subPages: subFirst >= 0 ? Math.max(n, whole) : 1 << pages.order[row]!,
      subKnown: subFirst >= 0,
      subCertain: told || all,
      rawAfter: pages.count[row] === UNKNOWN_COUNT ? UNKNOWN_COUNT : pages.count[row]!,
      doubt: null,
      certain: call?.applied !== true,
      marksToo: call?.applied === true && call.marks,
      endsIo: kind === 'pin' && this.endsIo(deed),
      paired: chosen.how,
    };
    if (hint && hint.stack >= 0) deed.stack = hint.stack;
    around.book.dropped(drop, counted);
    for (const tell of around.on.dropped) tell(drop);
  }

  /**
   * Whether a page's count or its whole life shows all that is taken of it: else the drop may be of a reference from before the
   * trace, and have come before the taking that it is printed after, by a clock that is ahead.
   */
  private seenWhole(row: number): boolean {
    const {pages} = this.around;
    if (pages.is(row, 'lifeSeen')) return true;
    return !pages.is(row, 'large') && pages.count[row] !== UNKNOWN_COUNT;
  }

  private get printedAfter(): number {
    return this.around.capture.time.unit === 'ticks' ? 0 : PRINTED_NS;
  }

  private endsIo(deed: Deed): boolean {
    const {evidence, calls} = this.around;
    if (evidence.tasks.byInterrupt(deed)) return true;
    if (!calls.anyReleasing) return false;
    const {cpu, context, t} = deed;
    const {pid} = evidence.tasks.get(deed.task);
    return calls.isReleasing(slotOf(this.around, {pid, cpu, context}), t);
  }
}

/** Whether pages that are dropped are of none of the references that were chosen: those are of other pages, and held still. */
function astray(from: Drop['from'], wanted: number, n: number): boolean {
  if (wanted < 0) return false;
  return from.some(({reference: {sub, n: pages}}) => sub >= 0 && (wanted + n <= sub || wanted >= sub + pages));
}

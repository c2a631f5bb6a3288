/**
 * Pins and gets: taken and dropped, from probes on the GUP path, from page_ref deltas, or from call stacks.
 *
 * One deed shows as up to four events (pin_user_pages_fast, try_grab_folio_fast, page_ref_mod_unless +1,
 * page_ref_mod +1023). The probe names the kind and the sub-page; the page_ref event is the change itself. Where page_ref
 * events are recorded they decide; where not, the probe alone does.
 */
import {type Hint, newHint, newUnpinCall, type UnpinCall} from './calls.js';
import {EventKind as K, PageFlag, PageName, type TraceEvent} from './event.js';
import {KNOWN_BY, What} from './journal.js';
import type {Drop} from './listener.js';
import type {Model} from './model.js';
import {PageState, UNKNOWN_COUNT} from './page-table.js';
import {chooseReferences} from './pairing.js';
import {BIAS} from './ref-counts.js';
import {type Deed, type KnownBy, Reference, type ReferenceKind} from './references.js';
import {symbolOf} from './stacks.js';

export class GupTracker {
  /** unpins that page_ref showed and no probe did, although probes were recorded: probes were missed */
  probesMissed = 0;
  /** gup_put_folio probes with their page_ref event */
  probesMatched = 0;
  takenPins = 0;
  takenGets = 0;
  /** large-folio deltas whose kind nothing tells */
  ambiguousLarge = 0;
  /** Whether takings of pins are in the trace at all. */
  get takesSeen(): boolean {
    return this.takenPins > 0 || this.m.records(K.Grab);
  }

  private ambiguousTarget:
    | {target: {stack: number}; row: number; delta: number; deed: Deed | undefined; reference: Reference | undefined}
    | undefined;

  constructor(private readonly m: Model) {}

  // --- probes

  grab(ev: TraceEvent): void {
    const {m} = this;
    if (ev.hasFlags !== 0) m.era.fromFlags(ev.gupFlags);
    const hint = this.hint(ev, 'grab', ev.hasFlags !== 0 ? m.era.kindOf(ev.gupFlags) : undefined);
    if (hint.kind === undefined || hint.pfn < 0) return;
    if (!this.refsRecorded()) this.takeByProbe(hint, ev);
  }

  grabReturn(ev: TraceEvent): void {
    const {m} = this;
    const slot = m.calls.slot(ev.cpu, ev.context);
    const hint = m.calls.hints[slot];
    if (!hint || hint.from !== 'grab' || hint.pid !== ev.pid) return;
    m.calls.hints[slot] = undefined;
    if (ev.ok === 0) {
      if (hint.reference) this.undo(hint.reference);
      return;
    }
    this.settle(hint, ev);
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
    this.dropNow(
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
    if (call?.applied && call.pid === ev.pid) {
      hint.done = true; // the first gup_put_folio of a trace, inside a call that was taken for all there is
      return;
    }
    if (!this.refsRecorded()) this.dropByProbe(hint, ev);
  }

  addPin(ev: TraceEvent): void {
    const hint = this.hint(ev, 'grab', 'pin');
    if (hint.pfn >= 0 && !this.refsRecorded()) this.takeByProbe(hint, ev);
  }

  unpinCall(ev: TraceEvent): void {
    const {m} = this;
    const slot = m.calls.slot(ev.cpu, ev.context);
    const call = (m.calls.unpins[slot] ??= newUnpinCall());
    const {pages} = call;
    pages.length = 0;
    if (ev.listLength > 0) {
      for (let i = 0; i < ev.listLength; i++) {
        const pfn = ev.listName === PageName.pfn ? ev.listPfn[i]! : m.identity.pfn(ev.listPtrHi[i]!, ev.listPtrLo[i]!);
        if (pfn >= 0) pages.push(pfn);
      }
    } else {
      const pfn = m.pfnOf(ev);
      if (pfn >= 0) pages.push(pfn);
    }
    call.pid = ev.pid;
    call.next = 0;
    call.nr = Math.max(ev.nr, pages.length);
    call.makeDirty = ev.makeDirty === 1;
    call.line = ev.line;
    call.applied = false;
    if (m.records(K.GupPut) || this.refsRecorded()) return;
    // Nothing else shows the drops (as far as known): take the call's own list, as far as it goes.
    call.applied = true;
    const deed = m.deed(ev);
    for (const pfn of pages) {
      const row = m.pages.findFolio(pfn);
      if (row >= 0) this.drop(ev, row, 'pin', 1, deed, undefined, pfn);
    }
  }

  pinCall(ev: TraceEvent): void {
    const {m} = this;
    if (ev.kind === K.PinCall) {
      const flags = ev.hasFlags !== 0 ? ev.gupFlags : -1;
      m.calls.pins.set(ev.pid, {call: m.calls.nextCall(), gupFlags: flags, t: ev.t});
      if (m.calls.pins.size > 100_000) m.calls.pins.clear();
      return;
    }
    const call = m.calls.pins.get(ev.pid);
    if (!call) return;
    m.calls.pins.delete(ev.pid);
    const task = m.tasks.of(ev);
    for (const tell of m.on.pinCallReturned) tell(task, call.call, call.gupFlags, ev.ret, () => m.deed(ev));
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
    const sub = hint.mayBeTail ? hint.pfn : m.pages.state[row]! & PageState.large ? -1 : hint.pfn;
    hint.reference = this.take(ev, row, hint.kind!, hint.refs, 'probe', sub, hint);
  }

  private dropByProbe(hint: Hint, ev: TraceEvent): void {
    const {m} = this;
    let row = m.pages.findFolio(hint.pfn);
    if (row < 0) row = m.pages.row(hint.pfn, ev.t);
    hint.done = true;
    const deed = m.deed(ev);
    this.drop(ev, row, hint.kind!, hint.refs, deed, undefined, -1);
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
    this.drop(ev, row, hint.kind, n, this.m.deed(ev), hint, -1);
    return true;
  }

  private confirmGrab(hint: Hint, ev: TraceEvent, row: number): void {
    this.learn(hint, ev, row);
    if (hint.reference) return;
    const sub = hint.mayBeTail ? (hint.pfn >= 0 ? hint.pfn : ev.pfn) : this.isLarge(ev, row) ? -1 : ev.pfn;
    hint.reference = this.take(ev, row, hint.kind!, hint.refs, 'probe', sub, hint);
  }

  private samePage(hint: Hint, ev: TraceEvent, row: number): boolean {
    if (hint.pfn === ev.pfn || hint.pfn < 0) return true;
    // The probe names a tail, page_ref its head.
    if (hint.mayBeTail && this.isLarge(ev, row) && hint.pfn > ev.pfn && hint.pfn - ev.pfn < 2 ** 18) return true;
    // A base that is not certain yet may be off by whole GiB: the pair corrects it.
    const assumed = this.m.identity.source === 'assumed';
    return assumed && hint.hasPointer && (hint.pfn - ev.pfn) % 2 ** 24 === 0;
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
      const n = delta % BIAS === 0 ? delta / BIAS : delta % (BIAS - 1) === 0 ? delta / (BIAS - 1) : 0;
      if (n === 0) return false;
      this.take(ev, row, 'pin', n, 'delta', ev.pfn, undefined);
      return true;
    }
    const n = -delta % BIAS === 0 ? -delta / BIAS : (1 - delta) % BIAS === 0 ? (1 - delta) / BIAS : 0;
    if (n === 0) return false;
    if (this.m.records(K.GupPut)) this.probesMissed++;
    this.drop(ev, row, 'pin', n, this.m.deed(ev), undefined, ev.pfn);
    return true;
  }

  /**
   * +n or -n of a large folio that no probe explains. A fast grab of several pages at once (page_ref_mod_unless +n) is a
   * pin or a get, and nothing but a stack could tell which: it is held as a pin by guess, so that whatever turns on it is
   * possible only. Single references are left alone: LRU batches, migration and lookups take those too.
   */
  ambiguous(ev: TraceEvent, row: number, delta: number): void {
    const {m} = this;
    if (m.records(K.Grab) && m.records(K.GupPut)) return;
    this.ambiguousLarge++;
    if (delta >= 2 && ev.kind === K.RefModUnless) {
      const reference = this.take(ev, row, 'pin', delta, 'guess', -1, undefined);
      this.ambiguousTarget = {target: reference, row, delta, deed: undefined, reference};
      return;
    }
    if (delta <= -2 && ev.kind === K.RefModAndTest) {
      for (let r = m.pages.references[row]; r; r = r.next) {
        if (r.knownBy !== 'guess' || r.n !== -delta) continue;
        this.drop(ev, row, 'pin', -delta, m.deed(ev), undefined, -1);
        return;
      }
    }
    const deed = m.deed(ev);
    this.ambiguousTarget = {target: deed, row, delta, deed, reference: undefined};
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
      else if (frames.some(isGetFunction)) this.undo(reference);
    } else if (deed && delta < 0 && frames.some(isUnpinFunction) && m.pages.pins[row]! > 0) {
      this.dropNow(row, 'pin', -delta, deed, undefined, -1, undefined);
    } else if (deed && delta > 0 && frames.some(isPinFunction)) {
      const {t, cpu, task, context, input, line, text} = deed;
      const pin = new Reference('pin', delta, 'stack', row, -1, t, cpu, task, context, input, line, text);
      pin.stack = stack;
      this.hold(row, pin);
    }
  }

  // --- taking

  private take(
    ev: TraceEvent,
    row: number,
    kind: ReferenceKind,
    n: number,
    knownBy: KnownBy,
    sub: number,
    hint: Hint | undefined,
  ): Reference {
    const {m} = this;
    const reference = new Reference(
      kind,
      n,
      knownBy,
      row,
      sub,
      ev.t,
      ev.cpu,
      m.tasks.of(ev),
      ev.context,
      ev.input,
      ev.line,
      m.lineOf(ev),
    );
    if (hint) {
      reference.gupFlags = hint.gupFlags;
      reference.stack = hint.stack;
    }
    const call = m.calls.pins.get(ev.pid);
    if (call && kind === 'pin') {
      reference.call = call.call;
      if (reference.gupFlags < 0) reference.gupFlags = call.gupFlags;
    }
    if (reference.stack < 0) m.wantStack(reference);
    this.hold(row, reference);
    m.note(row, ev, What.taken, this.rawChange(row, kind, n), detail(kind, knownBy), 0);
    return reference;
  }

  /** What n references of a kind add to the raw count: a pin of a small folio is GUP_PIN_COUNTING_BIAS. */
  private rawChange(row: number, kind: ReferenceKind, n: number): number {
    return kind === 'pin' && (this.m.pages.state[row]! & PageState.large) === 0 ? n * BIAS : n;
  }

  private hold(row: number, reference: Reference): void {
    const {pages} = this.m;
    reference.next = pages.references[row];
    pages.references[row] = reference;
    if (reference.kind === 'pin') {
      pages.pins[row]! += reference.n;
      this.takenPins += reference.n;
    } else {
      pages.gets[row]! += reference.n;
      this.takenGets += reference.n;
    }
    for (const tell of this.m.on.taken) tell(row, reference);
  }

  /** Pins that a count shows and no event did: from before the trace, or lost. */
  derived(row: number, n: number): void {
    const pfn = this.m.pages.pfn[row]!;
    this.hold(row, new Reference('pin', n, 'count', row, pfn, -Infinity, -1, -1, -1, 0, 0, ''));
  }

  /** Pins that are gone although no event showed it: the oldest. */
  lose(row: number, n: number): void {
    for (const {reference, n: some} of chooseReferences(this.m, row, 'pin', n, undefined, -1).from)
      this.withdraw(reference, some);
  }

  /** A grab that failed after all. */
  private undo(reference: Reference): void {
    if (reference.n > 0) this.withdraw(reference, reference.n);
  }

  private withdraw(reference: Reference, n: number): void {
    this.reduce(reference, n);
    for (const withdrawn of this.m.on.withdrawn) withdrawn(reference, n);
  }

  private reduce(reference: Reference, n: number): void {
    const {pages} = this.m;
    const {row} = reference;
    reference.n -= n;
    if (reference.kind === 'pin') pages.pins[row]! -= n;
    else pages.gets[row]! -= n;
    if (reference.n > 0) return;
    let at = pages.references[row];
    if (at === reference) {
      pages.references[row] = reference.next;
      return;
    }
    while (at && at.next !== reference) at = at.next;
    if (at) at.next = reference.next;
  }

  // --- dropping

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
    if (gone > 0) this.drop(ev, row, 'get', Math.min(gone, -delta), m.deed(ev), undefined, ev.pfn);
  }

  private drop(
    ev: TraceEvent,
    row: number,
    kind: ReferenceKind,
    n: number,
    deed: Deed,
    hint: Hint | undefined,
    sub: number,
  ): void {
    const {m} = this;
    const slot = m.calls.slot(ev.cpu, ev.context);
    const call = m.calls.unpins[slot];
    const drop = this.dropNow(row, kind, n, deed, hint, sub, call?.pid === ev.pid ? call : undefined);
    const from = drop.from[0]?.reference;
    const known = detail(kind, from?.knownBy ?? 'count');
    m.note(row, ev, What.dropped, -this.rawChange(row, kind, n), known, from?.line ?? 0);
  }

  private dropNow(
    row: number,
    kind: ReferenceKind,
    n: number,
    deed: Deed,
    hint: Hint | undefined,
    sub: number,
    call: UnpinCall | undefined,
  ): Drop {
    const {m} = this;
    const {pages} = m;
    const large = (pages.state[row]! & PageState.large) !== 0;
    const told = large ? this.subPagesOf(row, n, call) : pages.pfn[row]!;
    const wanted = sub >= 0 && !large ? sub : told;
    const chosen = chooseReferences(m, row, kind, n, deed, wanted);
    for (const {reference, n: some} of chosen.from) this.reduce(reference, some);
    const first = chosen.from[0]?.reference;
    const subFirst = wanted >= 0 ? wanted : (first?.sub ?? -1);
    if (chosen.unmatched > 0 && kind === 'pin') pages.state[row]! |= PageState.pinsUnknown;
    const drop: Drop = {
      kind,
      row,
      n,
      deed,
      probe: hint ? {line: hint.line, input: hint.input, text: hint.text} : undefined,
      from: chosen.from,
      unmatched: chosen.unmatched,
      sub: subFirst >= 0 ? subFirst : pages.pfn[row]!,
      subPages: subFirst >= 0 ? n : 2 ** pages.order[row]!,
      subKnown: subFirst >= 0,
      rawAfter: pages.count[row] === UNKNOWN_COUNT ? UNKNOWN_COUNT : pages.count[row]!,
      doubt: null,
      paired: chosen.how,
    };
    if (hint && hint.stack >= 0) deed.stack = hint.stack;
    for (const tell of m.on.dropped) tell(drop);
    return drop;
  }

  /** The first sub-page that the running unpin call is at in this folio; -1 when its list does not reach so far. */
  private subPagesOf(row: number, n: number, call: UnpinCall | undefined): number {
    if (!call) return -1;
    const {pages} = this.m;
    const head = pages.pfn[row]!;
    const size = 2 ** pages.order[row]!;
    const at = call.pages.findIndex((pfn, i) => i >= call.next && pfn >= head && pfn < head + size);
    if (at < 0) return -1;
    call.next = at + n;
    return call.pages[at]!;
  }
}

/** Smallest order whose folio has at least `pages` pages. */
function orderFor(pages: number): number {
  return Math.max(1, Math.ceil(Math.log2(pages)));
}

/** A reference as a journal entry holds it. */
function detail(kind: ReferenceKind, knownBy: KnownBy): number {
  return (kind === 'pin' ? 1 : 2) + 4 * KNOWN_BY.indexOf(knownBy);
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

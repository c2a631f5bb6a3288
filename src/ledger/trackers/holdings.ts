/**
 * Who holds what: the pins and gets of every page, taken and dropped. Which reference a drop drops is chosen in pairing.ts.
 */
import type {Hint, UnpinCall} from './calls.js';
import type {TraceEvent} from '../../events/event.js';
import {KNOWN_BY, What} from '../tables/journal.js';
import type {Drop} from '../listener.js';
import type {Model} from '../model.js';
import {PageState, UNKNOWN_COUNT} from '../tables/page-table.js';
import {chooseReferences} from './pairing.js';
import {BIAS} from './ref-counts.js';
import {type Deed, type KnownBy, Reference, type ReferenceKind} from '../tables/references.js';

/** Most references of one page that are told apart: each drop looks through them. */
const OF_A_PAGE_MAX = 1000;
/** Most references held at a time that are told apart, over all pages: 1.4 GB with all that is kept of their pages. */
const LIVE_MAX = 1_000_000;

export class Holdings {
  /** references ever taken, of those that the trace shows or lets derive */
  takenPins = 0;
  takenGets = 0;
  /** references in the pages' lists */
  private live = 0;

  constructor(private readonly m: Model) {}

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

  /** Adds a reference to its page and tells of it. */
  hold(row: number, reference: Reference): void {
    const {pages} = this.m;
    if (reference.kind === 'pin') {
      pages.pins[row]! += reference.n;
      this.takenPins += reference.n;
    } else {
      pages.gets[row]! += reference.n;
      this.takenGets += reference.n;
    }
    if (this.live >= LIVE_MAX || pages.listed[row]! >= OF_A_PAGE_MAX) {
      pages.state[row]! |= PageState.unlisted;
      this.m.limits.hit('references');
      return;
    }
    this.live++;
    pages.listed[row]!++;
    reference.next = pages.references[row];
    pages.references[row] = reference;
    for (const tell of this.m.on.taken) tell(row, reference);
  }

  /** Pins that a count shows and no event did: from before the trace, or lost. */
  derived(row: number, n: number): void {
    const pfn = this.m.pages.pfn[row]!;
    this.hold(row, new Reference('pin', n, 'count', row, pfn, -Infinity, -1, -1, -1, 0, 0, ''));
  }

  /** Pins that are gone although no event showed it: the oldest. */
  lose(row: number, n: number): void {
    const {from, unmatched} = chooseReferences(this.m, row, 'pin', n, undefined, -1);
    for (const {reference, n: some} of from) this.withdraw(reference, some);
    this.unlisted(row, 'pin', unmatched);
  }

  /** A grab that failed after all. */
  undo(reference: Reference): void {
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
    this.live -= this.m.pages.listed[row]!;
  }

  /** Of `n` drops that no listed reference explains, those that an unlisted one does: it is gone from the counts. */
  private unlisted(row: number, kind: ReferenceKind, n: number): number {
    const {pages} = this.m;
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
    const {m} = this;
    const slot = m.calls.slot(ev.cpu, ev.context);
    const call = m.calls.unpins[slot];
    const drop = this.dropNow(row, kind, n, deed, hint, sub, call?.pid === ev.pid ? call : undefined);
    const from = drop.from[0]?.reference;
    const known = detail(kind, from?.knownBy ?? 'count');
    m.note(row, ev, What.dropped, -this.rawChange(row, kind, n), known, from?.line ?? 0);
  }

  /** The same without an event to note: a deed of before. `call`: the unpin call it is part of. */
  dropNow(
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
    for (const {reference, n: some} of chosen.from) {
      reference.dropped = deed;
      reference.dropCertain = chosen.certain;
      this.reduce(reference, some);
    }
    chosen.unmatched -= this.unlisted(row, kind, chosen.unmatched);
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
      subPages: subFirst >= 0 ? n : 1 << pages.order[row]!,
      subKnown: subFirst >= 0,
      rawAfter: pages.count[row] === UNKNOWN_COUNT ? UNKNOWN_COUNT : pages.count[row]!,
      doubt: null,
      certain: true,
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
    const size = 1 << pages.order[row]!;
    const at = call.pages.findIndex((pfn, i) => i >= call.next && pfn >= head && pfn < head + size);
    if (at < 0) return -1;
    call.next = at + n;
    return call.pages[at]!;
  }
}

/** A reference as a journal entry holds it. */
function detail(kind: ReferenceKind, knownBy: KnownBy): number {
  return (kind === 'pin' ? 1 : 2) + 4 * KNOWN_BY.indexOf(knownBy);
}

/**
 * What a change of a count was, where no probe announced it: by its delta, by its call stack, by what the count leaves room
 * for. What nothing tells is held as a guess, or left alone.
 */
import {BIAS} from '../../base/reference.js';
import {EventKind as K, type TraceEvent} from '../../events/event.js';
import {Fn} from '../../events/functions.js';
import type {Stacked} from '../tables/evidence.js';
import {PageState} from '../tables/page-table.js';
import {type Deed, Reference} from '../tables/references.js';
import {takenBy, unpinnedBy} from './stack-types.js';
import {functionOf} from '../../base/frames.js';
import type {Uses} from './around.js';
import type {Holdings} from './holdings.js';
import type {Replay} from './replay.js';

/** A change of a large folio that waits for its stack. */
interface Waiting {
  target: Stacked;
  row: number;
  delta: number;
  deed: Deed | undefined;
  reference: Reference | undefined;
}

export class Typing {
  /** unpins that page_ref showed and no probe did, although probes were recorded: probes were missed */
  probesMissed = 0;
  /** large-folio deltas whose kind nothing tells */
  ambiguousLarge = 0;
  private waiting: Waiting | undefined;

  constructor(
    private readonly around: Uses<'capture' | 'pages' | 'evidence' | 'calls'>,
    private readonly held: Holdings,
    private readonly counts: Replay,
  ) {}

  /**
   * A change by the bias that no probe announced. A small page is pinned once at a time. More at once is a stock of references
   * that somebody deals out: page_frag_alloc() takes 32768 or, of pages of 64 KiB, 65536 (mm/page_frag_cache.c), gve 2^31 - 2.
   */
  byDelta(ev: TraceEvent, row: number, delta: number): boolean {
    if (this.around.pages.isLarge(row, ev.pageFlags)) return false;
    if (delta > 0) {
      if (delta !== BIAS && delta !== BIAS - 1) return false;
      this.held.take(ev, row, 'pin', 1, 'delta', ev.pfn, undefined);
      return true;
    }
    const n = units(-delta, BIAS) || units(1 - delta, BIAS);
    if (n === 0) return false;
    if (this.around.capture.records(K.GupPut)) this.probesMissed++;
    this.held.drop(ev, row, 'pin', n, this.around.evidence.deed(ev), undefined, ev.pfn);
    return true;
  }

  /**
   * +n or -n of a large folio that no probe explains. A fast grab of several pages at once (page_ref_mod_unless +n) is a
   * pin or a get, and nothing but a stack could tell which: it is held as a pin by guess, so that whatever turns on it is
   * possible only. Single references are left alone: LRU batches, migration and lookups take those too.
   */
  ambiguous(ev: TraceEvent, row: number, delta: number, inBatch: boolean): void {
    const {around} = this;
    if (around.capture.records(K.Grab) && around.capture.records(K.GupPut)) {
      if (delta < 0 && !inBatch) this.maybeDropped(ev, row, -delta);
      const {pages} = around;
      if (delta > 0 && pages.pins[row]! > 0) this.held.excess.rose({row, generation: pages.generation[row]!}, delta);
      return;
    }
    this.ambiguousLarge++;
    if (delta >= 2 && ev.kind === K.RefModUnless) {
      const reference = this.held.take(ev, row, 'pin', delta, 'guess', -1, undefined);
      this.waiting = {target: reference, row, delta, deed: undefined, reference};
      return;
    }
    if (delta <= -2 && ev.kind === K.RefModAndTest) {
      for (let r = around.pages.references[row]; r; r = r.next) {
        if (r.knownBy !== 'guess' || r.n !== -delta) continue;
        this.held.drop(ev, row, 'pin', -delta, around.evidence.deed(ev), undefined, -1);
        return;
      }
    }
    const deed = around.evidence.deed(ev);
    this.waiting = {target: deed, row, delta, deed, reference: undefined};
  }

  /**
   * A change of a large folio's count that no probe explains: a probe that was missed in an interrupt is such. A put of one
   * reference is nothing special in a task, but it is in an interrupt, where pins end.
   */
  private maybeDropped(ev: TraceEvent, row: number, n: number): void {
    const {around} = this;
    const first = around.pages.references[row];
    if (first === undefined || around.pages.pins[row]! < n) return;
    const byInterrupt = around.evidence.tasks.byInterrupt({context: ev.context, task: around.evidence.tasks.of(ev)});
    if (n === 1 && !byInterrupt && this.singlesShow() && this.around.calls.unpinning(ev)?.applied !== false) return;
    for (let r: Reference | undefined = first; r; r = r.next) {
      if (r.kind !== 'pin') continue;
      r.maybeDropped ??= around.evidence.deed(ev);
      if (r.mixed !== undefined) r.mixed.maybeDropped ??= r.maybeDropped;
    }
  }

  /**
   * Whether an unpin of one page shows as such: by gup_put_folio(), or where that may be inlined (6.18 by gcc) by the call.
   * unpin_user_folio() is of 6.10 and later.
   */
  private singlesShow(): boolean {
    const {era, coverage} = this.around.capture;
    if (!era.inlinesUnpins) return true;
    return coverage.covers(Fn.unpin_user_page) && (era.foll === 'old' || coverage.covers(Fn.unpin_user_folio));
  }

  /** The stack of an event came: it may name what the event could not. */
  stackKnown(target: Stacked, stack: number): void {
    const {around} = this;
    const waiting = this.waiting;
    if (!waiting || waiting.target !== target) return;
    this.waiting = undefined;
    const {row, delta, deed, reference} = waiting;
    const frames = around.evidence.stacks.get(stack).map(functionOf);
    if (reference) {
      const kind = takenBy(frames);
      if (kind === 'pin') this.held.knownBetter(reference, 'stack');
      else if (kind === 'get') this.held.undo(reference);
    } else if (deed && delta < 0 && around.pages.pins[row]! > 0 && unpinnedBy(frames)) {
      this.held.dropNow(row, 'pin', -delta, deed, undefined, -1, undefined, true);
    } else if (deed && delta > 0 && takenBy(frames) === 'pin') {
      const {t, cpu, task, context, input, line, text} = deed;
      const pin = new Reference('pin', delta, 'stack', row, -1, t, cpu, task, context, input, line, text);
      pin.stack = stack;
      this.held.hold(row, pin);
    }
  }

  /** Any put of a page may be that of a get: until the count leaves no room for it nobody knows which was. */
  private maybePut(ev: TraceEvent, row: number): void {
    const {pages, evidence} = this.around;
    if (pages.gets[row] === 0) return;
    let deed: Deed | undefined;
    for (let r = pages.references[row]; r; r = r.next) {
      if (r.kind !== 'get') continue;
      // those that are older were there when that one was put
      if (r.maybeDropped !== undefined) return;
      r.maybeDropped = deed ??= evidence.deed(ev);
    }
  }

  /**
   * A plain put names no kind. But when a page's count leaves no room for all the gets it holds, one was put: beside
   * the pins there are its mappings, its page cache and private references, and then the gets.
   */
  putByCount(ev: TraceEvent, row: number, delta: number): void {
    const {around} = this;
    const {pages} = around;
    if (delta >= 0) return;
    this.maybePut(ev, row);
    if (pages.state[row]! & PageState.large) return;
    const base = this.counts.basis(row);
    if (base < 0 || pages.count[row]! < 0) return;
    const room = pages.count[row]! - BIAS * pages.pins[row]! - base;
    const gone = pages.gets[row]! - Math.max(0, room);
    if (gone > 0) this.held.drop(ev, row, 'get', Math.min(gone, -delta), around.evidence.deed(ev), undefined, ev.pfn);
  }
}

/** How many units a change is made of, 0 when it is not whole. An integer for V8 too: `/` alone makes a double of it. */
function units(change: number, unit: number): number {
  return change % unit === 0 ? (change / unit) | 0 : 0;
}

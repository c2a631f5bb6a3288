/**
 * page_ref events: what they print of a page is noted, the change is added up (replay.ts), and the kind of reference that
 * changed is told by the probe that announced it (probes.ts) or by the change itself (typing.ts).
 */
import {BIAS} from '../../base/reference.js';
import {EventKind as K, PageFlag, type TraceEvent} from '../../events/event.js';
import {PageState, UNKNOWN_COUNT} from '../tables/page-table.js';
import type {Deed} from '../tables/references.js';
import type {Uses} from './around.js';
import type {Batches} from './batches.js';
import type {Lifetime} from './lifetime.js';
import type {Probes} from './probes.js';
import type {Replay} from './replay.js';
import type {Typing} from './typing.js';
import type {UnpinCalls} from './unpin-calls.js';
import type {WritebackTracker} from './writeback-tracker.js';

const SHMEM_FLAGS = PageFlag.locked | PageFlag.swapbacked;

/** Most pages without mappings but with a count that are followed. */
const ORPHANS_MAX = 100_000;

/** The trackers that a page_ref event is handed to, in turn. */
interface Trackers {
  readonly replay: Replay;
  readonly batches: Batches;
  readonly writeback: WritebackTracker;
  readonly probes: Probes;
  readonly typing: Typing;
  readonly unpinCalls: UnpinCalls;
  readonly lifetime: Lifetime;
}

export class RefCounts {
  constructor(
    private readonly around: Uses<'capture' | 'pages' | 'evidence' | 'book' | 'calls' | 'on'>,
    /** rows whose every change is told, although they hold nothing */
    private readonly watched: ReadonlySet<number>,
    private readonly to: Trackers,
  ) {}

  event(ev: TraceEvent): void {
    const {around, to} = this;
    const {pages} = around;
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
        if (ev.hasRet !== 0 && ev.ret === 0) {
          around.book.setTo(row, ev); // attempted, nothing changed
          return;
        }
        delta = ev.val;
        break;
      case K.RefSet:
        absolute = ev.val;
        break;
      case K.RefFreeze:
        if (ev.ret === 0) {
          around.book.setTo(row, ev);
          return;
        }
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
        around.capture.era.rawMapcount = true;
        // Anonymous pages become swap-backed when they are mapped; one that is so before is in the page cache (shmem).
        if (delta > 0 && (ev.pageFlags & SHMEM_FLAGS) === SHMEM_FLAGS) pages.state[row]! |= PageState.shmem;
      } else if (ev.mapcount > 0 || around.capture.era.rawMapcount) pages.state[row]! |= PageState.wasMapped;
    }
    if (ev.mt >= 0) {
      pages.migratetype[row] = ev.mt;
      if (ev.mt === 5) around.capture.era.cmaKnown = true;
    }

    if (absolute !== UNKNOWN_COUNT) {
      this.set(ev, row, kind, absolute, previous);
      return;
    }

    const batch = to.batches.of(ev);
    to.replay.change(ev, row, delta, previous);
    if (ev.pageFlags !== 0) to.writeback.flags(ev, row);

    // Everything below is about pages that hold pins or gets, or are about to.
    const hint = around.calls.hints[around.calls.slot(ev.cpu, ev.context)];
    let told = false;
    if (hint !== undefined && hint.pid === ev.pid) told = to.probes.complete(hint, ev, row, delta);
    if (!told && (delta > 0 || delta <= 1 - BIAS) && around.calls.displaced.size > 0)
      told = to.probes.completeElsewhere(ev, row, delta);
    if (!told && (delta >= BIAS - 1 || delta <= 1 - BIAS)) told = to.typing.byDelta(ev, row, delta);
    if (!told && pages.state[row]! & PageState.large && delta !== 0) {
      if (pages.references[row] !== undefined)
        told = to.probes.completeElsewhere(ev, row, delta) || to.unpinCalls.inlined(ev, row, delta);
      if (!told) to.typing.ambiguous(ev, row, delta, batch !== 0);
    }
    if (pages.gets[row]! > 0 && !told) to.typing.putByCount(ev, row, delta);
    else if (delta < 0 && ev.count > 0 && ev.mapcount === -1 && pages.references[row] === undefined)
      this.orphan(ev, row);
    if (pages.lives[row] !== undefined || around.book.lives.follows !== undefined)
      around.book.counted(row, ev, delta, batch);
    if (pages.references[row] !== undefined || (this.watched.size > 0 && this.watched.has(row)))
      this.tellCounted(ev, row, delta, batch !== 0);
    if (kind === K.RefModAndTest && ev.hasRet !== 0 && ev.ret === 1) to.lifetime.lastReferenceGone(ev, row);
  }

  /** Apart from event(), which is called for every line: a closure in there costs each of them. */
  private tellCounted(ev: TraceEvent, row: number, delta: number, inBatch: boolean): void {
    const {around} = this;
    const deed = (): Deed => around.evidence.deed(ev);
    for (const tell of around.on.counted) tell(row, deed, delta, inBatch);
  }

  /** Anonymous pages on the LRU that lost their last mapping and still have a count, by row: who holds them is not traced. */
  readonly orphans = new Map<number, {generation: number; deed: Deed}>();

  private orphan(ev: TraceEvent, row: number): void {
    const {around} = this;
    const wanted = PageFlag.lru | PageFlag.swapbacked;
    if ((ev.pageFlags & (wanted | PageFlag.swapcache | PageFlag.head)) !== wanted || around.capture.records(K.Grab))
      return;
    const state = around.pages.state[row]!;
    if ((state & PageState.wasMapped) === 0 || (state & PageState.shmem) !== 0) return;
    if (this.orphans.size >= ORPHANS_MAX && !this.orphans.has(row)) around.capture.limits.hit('kept-by-rules');
    else this.orphans.set(row, {generation: around.pages.generation[row]!, deed: around.evidence.deed(ev)});
  }

  private set(ev: TraceEvent, row: number, kind: number, absolute: number, previous: number): void {
    const {around, to} = this;
    if (absolute !== 0) to.lifetime.alone(ev, ev.pfn);
    if (kind === K.RefSet && absolute === 1) to.lifetime.setToOne(ev, row, previous);
    to.replay.set(ev, row, absolute);
    around.book.setTo(row, ev);
  }
}

/**
 * The law of calls that unpin: the pages that gup_put_folio() drops inside unpin_user_pages() and its kin sum to the pages of
 * the call (mm/gup.c, 5.19 to 7.3). Fewer, and a drop has no event.
 *
 *     unpin_user_pages: (...) npages=3 pages={...}
 *     gup_put_folio: (...) folio=... refs=2        gup_put_folio: (...) folio=... refs=1
 */
import {EventKind as K, type TraceEvent} from '../events/event.js';
import type {Audit} from './audit.js';

interface Running {
  pid: number;
  /** pages of the call; 0: it is over */
  nr: number;
  dropped: number;
  t: number;
  line: number;
}

/** What no such call does: it may mark its pages dirty and free them between the drops, but it takes and maps none. */
const AFTER: ReadonlySet<number> = new Set([
  K.Grab,
  K.PinCall,
  K.DmaMap,
  K.DmaMapSg,
  K.DmaUnmap,
  K.DmaUnmapSg,
  K.BlockIssue,
]);

export class DropSums {
  /** by slot; a call that is over stays for the next: a map of one that comes and goes is made anew each time */
  private readonly running = new Map<number, Running>();
  private live = 0;
  /** calls whose drops summed to their pages */
  balanced = 0;

  constructor(private readonly audit: Audit) {}

  /** A call of `nr` pages begins in the calls of `slot` (slotOf). One inside another of which all is still to be dropped is the same. */
  called(slot: number, nr: number, ev: TraceEvent): void {
    if (nr < 1) return;
    const call = this.running.get(slot);
    if (call === undefined) {
      if (this.running.size >= CALLS_MAX) this.forget();
      this.running.set(slot, {pid: ev.pid, nr, dropped: 0, t: ev.t, line: ev.line});
      this.live++;
      return;
    }
    if (call.nr === 0) this.live++;
    else if (call.pid === ev.pid && call.dropped > 0) {
      // unpin_user_pages() calls unpin_user_page() on old kernels: drops follow for both, and which is whose is not told
      if (nr === 1) return;
      this.fewer(call, ev);
    }
    call.pid = ev.pid;
    call.nr = nr;
    call.dropped = 0;
    call.t = ev.t;
    call.line = ev.line;
  }

  /** gup_put_folio() of `refs` pages. */
  dropped(slot: number, refs: number, ev: TraceEvent): void {
    const call = this.running.get(slot);
    if (call === undefined || call.nr === 0 || call.pid !== ev.pid) return;
    call.dropped += refs;
    if (call.dropped < call.nr) return;
    if (call.dropped === call.nr) this.balanced++;
    this.over(call);
  }

  /** Something else in the calls of `slot`: a call that has begun to drop is over. */
  other(slot: number, ev: TraceEvent): void {
    if (!AFTER.has(ev.kind)) return;
    const call = this.running.get(slot);
    if (call === undefined || call.nr === 0) return;
    // where none was dropped the call may be one whose drops leave no event (inlined from 6.18 on)
    if (call.pid === ev.pid && call.dropped > 0) this.fewer(call, ev);
    this.over(call);
  }

  get idle(): boolean {
    return this.live === 0;
  }

  private over(call: Running): void {
    call.nr = 0;
    this.live--;
  }

  private forget(): void {
    this.running.clear();
    this.live = 0;
  }

  private fewer(call: Running, ev: TraceEvent): void {
    this.audit.breach({
      law: 'drops-sum-to-call',
      what: 'dropped',
      from: call.t,
      to: ev.t,
      pfn: -1,
      line: call.line,
      why: `the call at line ${call.line} unpins ${call.nr} pages, and ${call.dropped} drops of it are in the trace`,
    });
  }
}

/** Most calls that run at a time, by task; beyond it none is summed up. */
const CALLS_MAX = 10_000;

/**
 * Claims about mappings wait for their end. Where several windows may be meant (an overlap) the claim waits for each, and is
 * told with the first that was live for certain; where no end is the window's own, what the device does with its mappings
 * decides, and that is known when the trace has ended.
 */
import type {Ledger} from '../ledger/ledger.js';
import {type DmaWindow, liveAt} from '../ledger/tables/dma.js';
import type {Waiting} from './waiting.js';

/** Most claims that wait; those of the window that has waited longest are given up first. */
const AWAITING_MAX = 100_000;

export class AwaitedEnds {
  private readonly awaiting = new Map<DmaWindow, Waiting[]>();
  private readonly late: {it: Waiting; window: DmaWindow}[] = [];
  private count = 0;

  constructor(
    private readonly m: Ledger,
    private readonly ready: (it: Waiting) => void,
  ) {}

  add(it: Waiting, window: DmaWindow): void {
    const {overlap} = window;
    const several = overlap !== undefined && overlap.ends.length > 0;
    const windows = several ? overlap.windows.filter((w) => w.endedBy === undefined) : [window];
    it.left = windows.length;
    for (const w of windows) {
      const list = this.awaiting.get(w);
      if (list) list.push(it);
      else this.awaiting.set(w, [it]);
      this.count++;
    }
    if (this.count <= AWAITING_MAX) return;
    const [[oldest, given]] = this.awaiting as unknown as [[DmaWindow, Waiting[]]];
    this.awaiting.delete(oldest);
    this.count -= given.length;
    this.m.capture.limits.hit('waiting', given.length);
  }

  private take(window: DmaWindow): Waiting[] {
    const list = this.awaiting.get(window);
    if (list === undefined) return [];
    this.awaiting.delete(window);
    this.count -= list.length;
    return list;
  }

  closed(window: DmaWindow): void {
    if (window.partOf) this.partClosed(window, window.partOf);
    for (const it of this.take(window)) this.judge(it, window);
  }

  /** A part of a mapping is over: what waits for pages of it waits no longer. */
  private partClosed(part: DmaWindow, whole: DmaWindow): void {
    const list = this.take(whole);
    const rest: Waiting[] = [];
    for (const it of list) {
      const {pfn} = it.page;
      if (part.runs.some((run) => pfn >= run.pfn && pfn < run.pfn + run.pages)) this.judge(it, part);
      else rest.push(it);
    }
    if (rest.length === 0) return;
    this.awaiting.set(whole, rest);
    this.count += rest.length;
  }

  /** A window that it may be about is over. */
  private judge(it: Waiting, window: DmaWindow): void {
    it.left--;
    if (it.done) return;
    const {state} = liveAt(window, it.at);
    if (state === 'ended' || (state === 'open' && it.left > 0)) return;
    it.done = true;
    if (window.certainEnd) this.tell(it, window);
    else this.late.push({it, window});
  }

  private tell(it: Waiting, window: DmaWindow): void {
    it.over = window;
    this.ready(it);
  }

  abandoned(window: DmaWindow): void {
    for (const it of this.take(window)) {
      if (--it.left > 0 || it.done) continue;
      it.done = true;
      this.late.push({it, window});
    }
  }

  /** Windows whose end never came, or is not their own for certain: nothing is claimed of a device that leaves its mappings open. */
  ended(): void {
    const {dma} = this.m;
    for (const {it, window} of this.late) {
      // a completion is the end of a device's work, whether it unmaps or not
      if (window.endedBy !== 'completion' && !dma.endsToBeExpected(window)) continue;
      if (window.close) this.tell(it, window);
      else this.ready(it);
    }
    this.late.length = 0;
    for (const [window, list] of this.awaiting) {
      if (!dma.endsToBeExpected(window)) continue;
      for (const it of list) {
        if (it.done) continue;
        it.done = true;
        this.ready(it);
      }
    }
    this.awaiting.clear();
    this.count = 0;
  }
}

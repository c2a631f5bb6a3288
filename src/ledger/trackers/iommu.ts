/**
 * Mappings that only an iommu:map event tells of: no device, no direction. Those inside a dma_map_*() call are that call's,
 * and its own event, which follows, tells them better. NVMe of 6.18 and later makes only these behind an IOMMU
 * (dma_iova_link()); users of the IOMMU API (VFIO, iommufd) always.
 *
 * An unmap may name more than one mapping, or a part of one: the part is over, the rest is not.
 */
import {slotOf} from './calls.js';
import {DmaWindow} from '../tables/dma.js';
import {OPEN_MAX} from '../tables/open-windows.js';
import type {Uses} from './around.js';
import type {CoveredPages} from './covered-pages.js';
import {DmaDir, type TraceEvent} from '../../events/event.js';
import {Oldest} from '../../base/oldest.js';

/** Most tasks whose iommu:map events wait for the dma_map_* event of the same call, and events of one that do. */
const WAITING_TASKS_MAX = 1000;
const WAITING_EVENTS_MAX = 4096;
/** Most pages under all windows of iommu:map events. */
const IOMMU_PAGES_MAX = 1 << 22;
/** Windows are found by any address in them through the blocks of 2 MiB they reach into, at most so many of one. */
const BLOCK = 2 ** 21;
const BLOCKS_MAX = 4096;

export class IommuWindows {
  forgotten = 0;
  /** iommu:map events that may belong to a dma_map_* event still to come, by slot */
  private readonly recent = new Map<number, Map<number, DmaWindow>>();
  /** by first IOVA */
  private readonly open = new Map<number, DmaWindow>();
  /** windows of more than a page, by the blocks they reach into */
  private readonly blocks = new Map<number, Set<DmaWindow>>();
  private readonly oldest = new Oldest<number>();
  private pages = 0;

  constructor(
    private readonly around: Uses<'capture' | 'pages' | 'evidence' | 'calls'>,
    private readonly under: CoveredPages,
    private readonly told: {opened(ev: TraceEvent, window: DmaWindow): void; ended(window: DmaWindow): void},
  ) {}

  /** mappings that no dma_map_*() call tells of */
  mapped = 0;

  map(ev: TraceEvent): void {
    if (ev.phys < 0) return;
    this.mapped++;
    const {under} = this;
    const pfn = Math.floor(ev.phys / (1 << under.pageShift));
    const runs = under.followed([under.run(pfn, 0, ev.size)]);
    const window = new DmaWindow(-1, DmaDir.unknown, ev.dmaAddr, ev.size, runs, this.around.evidence.deed(ev), true);
    // The address is free again, so the mapping that had it is gone, although its unmap was not seen.
    window.readdressed = this.open.has(ev.dmaAddr);
    this.forget(ev.dmaAddr);
    this.open.set(ev.dmaAddr, window);
    under.attach(ev, window);
    this.pages += window.rows.length;
    if (window.rows.length > 1) this.reach(window, true);
    while (this.open.size > OPEN_MAX || (this.pages > IOMMU_PAGES_MAX && this.open.size > 1)) {
      this.forget(this.oldest.of(this.open));
      this.forgotten++;
    }
    this.wait(slotOf(this.around, ev), window);
    this.told.opened(ev, window);
  }

  /** It may be of a dma_map_*() call, whose own event comes next. */
  private wait(slot: number, window: DmaWindow): void {
    let recent = this.recent.get(slot);
    if (!recent) {
      if (this.recent.size >= WAITING_TASKS_MAX) this.recent.clear();
      this.recent.set(slot, (recent = new Map()));
    } else if (recent.size >= WAITING_EVENTS_MAX) {
      // the older half: such a call maps thousands of pages, and its own event follows at once
      let n = WAITING_EVENTS_MAX / 2;
      for (const iova of recent.keys()) {
        recent.delete(iova);
        this.under.unwrite(window, false);
        if (--n === 0) break;
      }
    }
    recent.set(window.address, window);
  }

  private reach(window: DmaWindow, into: boolean): void {
    const first = Math.floor(window.address / BLOCK);
    const last = Math.min(Math.floor((window.address + window.size - 1) / BLOCK), first + BLOCKS_MAX);
    for (let block = first; block <= last; block++) {
      const set = this.blocks.get(block);
      if (into) {
        if (set) set.add(window);
        else this.blocks.set(block, new Set([window]));
      } else if (set) {
        set.delete(window);
        if (set.size === 0) this.blocks.delete(block);
      }
    }
  }

  private remove(window: DmaWindow): void {
    this.open.delete(window.address);
    this.pages -= window.rows.length;
    if (window.rows.length > 1) this.reach(window, false);
  }

  private forget(iova: number): void {
    const window = this.open.get(iova);
    if (!window) return;
    window.endedBy = 'unknown';
    this.remove(window);
    this.under.detach(window);
  }

  /** The iommu:map events inside a dma_map_*() call are that call's, told better by its own event. Answers whether there were any. */
  claim(ev: TraceEvent, address: number, size: number): boolean {
    if (this.open.size === 0) return false;
    const slot = slotOf(this.around, ev);
    const recent = this.recent.get(slot);
    if (!recent) return false;
    const before = this.mapped;
    const page = 1 << this.under.pageShift;
    const first = Math.floor(address / page) * page;
    const end = address + size;
    const take = (iova: number, window: DmaWindow): void => {
      recent.delete(iova);
      this.under.unwrite(window, false);
      if (this.open.get(iova) === window) this.forget(iova);
      else this.under.detach(window);
      window.endedBy = 'unknown';
      window.inCall = true;
      this.mapped--;
    };
    if ((end - first) / page > recent.size) {
      for (const [iova, window] of recent) if (iova >= first && iova < end) take(iova, window);
    } else {
      for (let iova = first; iova < end; iova += page) {
        const window = recent.get(iova);
        if (window) take(iova, window);
      }
    }
    if (recent.size === 0) this.recent.delete(slot);
    return this.mapped < before;
  }

  unmap(ev: TraceEvent): void {
    const whole = this.open.get(ev.dmaAddr);
    if (whole !== undefined && whole.size === ev.size) {
      this.close(ev, whole);
      return;
    }
    const end = ev.dmaAddr + ev.size;
    const page = 1 << this.under.pageShift;
    const {limits} = this.around.capture;
    limits.looks += Math.min(ev.size / page, this.open.size);
    if (limits.tired()) return;
    const touched = new Set<DmaWindow>();
    if (ev.size / page > this.open.size) {
      for (const [iova, window] of this.open) if (iova >= ev.dmaAddr && iova < end) touched.add(window);
    } else {
      for (let iova = ev.dmaAddr; iova < end; iova += page) {
        const window = this.open.get(iova);
        if (window) touched.add(window);
      }
    }
    for (let block = Math.floor(ev.dmaAddr / BLOCK), n = 0; block * BLOCK < end && n < BLOCKS_MAX; block++, n++) {
      const windows = this.blocks.get(block);
      if (windows === undefined) continue;
      limits.looks += windows.size;
      if (limits.tired()) return;
      for (const window of windows)
        if (window.address < end && window.address + window.size > ev.dmaAddr) touched.add(window);
    }
    for (const window of touched) {
      if (window.address >= ev.dmaAddr && window.address + window.size <= end) this.close(ev, window);
      else this.part(ev, window, ev.dmaAddr, end);
    }
  }

  /** A part of a mapping is unmapped: it becomes a window of its own, which is over, and the rest goes on. */
  private part(ev: TraceEvent, window: DmaWindow, from: number, to: number): void {
    const {pages} = this.around;
    const page = 1 << this.under.pageShift;
    const first = Math.max(0, Math.ceil((from - window.address) / page));
    const stop = Math.min(window.rows.length, Math.floor((to - window.address) / page));
    if (stop <= first) return;
    const runs = [{pfn: window.runs[0]!.pfn + first, pages: stop - first}];
    const address = window.address + first * page;
    const part = new DmaWindow(window.device, window.dir, address, (stop - first) * page, runs, window.open, true);
    part.partOf = window;
    part.request = window.request;
    part.written = window.written;
    part.rows = window.rows.slice(first, stop);
    for (let i = first; i < stop; i++) {
      const row = window.rows[i]!;
      if (row < 0) continue;
      for (let link = pages.dma[row]; link; link = link.next) if (link.window === window) link.window = part;
      window.rows[i] = -1;
    }
    this.over(ev, part);
    if (window.rows.every((row) => row < 0)) {
      window.close = part.close;
      window.endedBy = 'unmap';
      window.certainEnd = true;
      window.earliestEnd = part.close;
      this.remove(window);
      this.told.ended(window);
    }
  }

  /** Windows still open, in no particular order. */
  live(): Iterable<DmaWindow> {
    return this.open.values();
  }

  private close(ev: TraceEvent, window: DmaWindow): void {
    this.remove(window);
    this.over(ev, window);
  }

  private over(ev: TraceEvent, window: DmaWindow): void {
    window.close = window.earliestEnd = this.around.evidence.deed(ev);
    window.endedBy = 'unmap';
    window.certainEnd = true;
    this.under.ended(ev, window);
    this.told.ended(window);
  }
}

/**
 * Mappings that only an iommu:map event tells of: no device, no direction. Those inside a dma_map_*() call are that call's,
 * and its own event, which follows, tells them better.
 */
import {slotOf} from './calls.js';
import {DmaWindow, OPEN_MAX} from '../tables/dma.js';
import type {DmaPages} from './dma-pages.js';
import {DmaDir, type TraceEvent} from '../../events/event.js';
import type {Model} from '../model.js';
import {Oldest} from '../../base/oldest.js';

/** Most tasks whose iommu:map events wait for the dma_map_* event of the same call, and events of one that do. */
const WAITING_TASKS_MAX = 1000;
const WAITING_EVENTS_MAX = 4096;
/** Most pages under all windows of iommu:map events. */
const IOMMU_PAGES_MAX = 1 << 22;

export class IommuWindows {
  /** iommu:map events that may belong to a dma_map_* event still to come, by slot */
  private readonly recent = new Map<number, Map<number, DmaWindow>>();
  /** by IOVA */
  private readonly open = new Map<number, DmaWindow>();
  private readonly oldest = new Oldest<number>();
  private pages = 0;

  constructor(
    private readonly m: Model,
    private readonly under: DmaPages,
  ) {}

  map(ev: TraceEvent): void {
    if (ev.phys < 0) return;
    const {under} = this;
    const pfn = Math.floor(ev.phys / 2 ** under.pageShift);
    const deed = this.m.deed(ev);
    const window = new DmaWindow(
      -1,
      DmaDir.unknown,
      ev.dmaAddr,
      ev.size,
      under.followed([under.run(pfn, 0, ev.size)]),
      deed,
      true,
      false,
    );
    // The address is free again, so the mapping that had it is gone, although its unmap was not seen.
    this.forget(ev.dmaAddr);
    this.open.set(ev.dmaAddr, window);
    under.attach(ev, window);
    this.pages += window.rows.length;
    while (this.open.size > OPEN_MAX || (this.pages > IOMMU_PAGES_MAX && this.open.size > 1)) {
      this.forget(this.oldest.of(this.open));
      this.m.windows.forgotten++;
    }
    const slot = slotOf(this.m, ev);
    let recent = this.recent.get(slot);
    if (!recent) {
      if (this.recent.size >= WAITING_TASKS_MAX) this.recent.clear();
      this.recent.set(slot, (recent = new Map()));
    } else if (recent.size >= WAITING_EVENTS_MAX) {
      // the older half: such a call maps thousands of pages, and its own event follows at once
      let n = WAITING_EVENTS_MAX / 2;
      for (const iova of recent.keys()) {
        recent.delete(iova);
        if (--n === 0) break;
      }
    }
    recent.set(ev.dmaAddr, window);
  }

  private forget(iova: number): void {
    const window = this.open.get(iova);
    if (!window) return;
    this.open.delete(iova);
    this.pages -= window.rows.length;
    this.under.detach(window);
  }

  /** The iommu:map events inside a dma_map_*() call are that call's, told better by its own event. */
  claim(ev: TraceEvent, address: number, size: number): void {
    if (this.open.size === 0) return;
    const slot = slotOf(this.m, ev);
    const recent = this.recent.get(slot);
    if (!recent) return;
    const page = 2 ** this.under.pageShift;
    const first = Math.floor(address / page) * page;
    const end = address + size;
    const take = (iova: number, window: DmaWindow): void => {
      recent.delete(iova);
      if (this.open.get(iova) === window) this.forget(iova);
      else this.under.detach(window);
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
  }

  unmap(ev: TraceEvent): void {
    const end = ev.dmaAddr + ev.size;
    const page = 2 ** this.under.pageShift;
    const {limits, events} = this.m;
    limits.looks += Math.min(ev.size / page, this.open.size);
    if (limits.tired(events)) return;
    if (ev.size / page > this.open.size) {
      for (const [iova, window] of this.open) if (iova >= ev.dmaAddr && iova < end) this.close(ev, iova, window);
      return;
    }
    for (let iova = ev.dmaAddr; iova < end; iova += page) {
      const window = this.open.get(iova);
      if (window) this.close(ev, iova, window);
    }
  }

  private close(ev: TraceEvent, iova: number, window: DmaWindow): void {
    this.open.delete(iova);
    this.pages -= window.rows.length;
    this.under.close(ev, window);
  }
}

/**
 * DMA windows: a mapping from map to unmap, and the pages it covers.
 *
 * A device and an address may be mapped several times at once (without an IOMMU every mapping of a page has the page's own
 * address), so windows are counted, not flagged: each unmap closes one. A scatterlist is one window of many runs;
 * `dma_unmap_sg` names only physical addresses, so its windows are found by the first of them.
 */
import {DmaDir} from './event.js';
import type {Deed} from './references.js';

/** Under what a window was opened; see Model.openDma for how it is told. */
export type WindowOwner = 'pin' | 'get' | 'writeback' | 'ambiguous' | 'none';

/** Most pages of one run that are followed one by one (1 GiB of a VFIO mapping is one event). */
export const WINDOW_PAGES_MAX = 1 << 16;

const NO_ROWS = new Int32Array(0);

/** A run of physically contiguous pages. */
export interface Run {
  pfn: number;
  pages: number;
}

export class DmaWindow {
  /** when closed */
  close: Deed | undefined = undefined;
  /** rows of the pages it covers, run by run, at most WINDOW_PAGES_MAX of each */
  rows: Int32Array = NO_ROWS;
  /** tells windows of one key apart when they are compared */
  constructor(
    readonly device: number,
    readonly dir: number,
    /** bus address; -1 for scatterlists */
    readonly address: number,
    readonly size: number,
    readonly runs: readonly Run[],
    readonly open: Deed,
    /** seen only as an iommu:map event: no device, no direction */
    readonly iommuOnly: boolean,
    /** the list was cut in the trace: pages are missing from `runs` */
    readonly truncated: boolean,
  ) {}

  /** Whether the device may write into the pages. */
  get deviceWrites(): boolean {
    return this.dir === DmaDir.fromDevice || this.dir === DmaDir.bidirectional || this.dir === DmaDir.unknown;
  }
}

/** One page of one window: hangs on the page's row. */
export interface DmaLink {
  window: DmaWindow;
  /** generation of the row when the window was opened */
  generation: number;
  owner: WindowOwner;
  next: DmaLink | undefined;
}

/** Per device: does it ever unmap? Drivers may skip it where dma_need_unmap() is false (kernel-facts B5). */
export interface DeviceUse {
  name: string;
  maps: number;
  unmaps: number;
}

/** Most windows open at a time that are followed; beyond it the oldest are given up (a device that never unmaps). */
const OPEN_MAX = 200_000;

/** The open windows, by what their unmap will name. */
export class DmaWindows {
  opened = 0;
  /** unmaps of mappings that were never seen (opened before the trace, or lost) */
  unmatched = 0;
  /** windows given up because too many were open */
  forgotten = 0;
  private readonly open = new Map<string, DmaWindow[]>();
  private openCount = 0;

  add(key: string, window: DmaWindow): void {
    this.opened++;
    const list = this.open.get(key);
    if (list) list.push(window);
    else this.open.set(key, [window]);
    this.openCount++;
    if (this.openCount > OPEN_MAX) this.forgetOldest();
  }

  /** Takes the window that an unmap closes: same key, same size if one has it, the oldest of those. */
  take(key: string, size: number): DmaWindow | undefined {
    const list = this.open.get(key);
    if (!list) return undefined;
    let at = 0;
    if (list.length > 1 && size > 0) {
      const same = list.findIndex((w) => w.size === size);
      if (same >= 0) at = same;
    }
    const [window] = list.splice(at, 1);
    if (list.length === 0) this.open.delete(key);
    this.openCount--;
    return window;
  }

  /** Windows still open, in no particular order. */
  *live(): Iterable<DmaWindow> {
    for (const list of this.open.values()) yield* list;
  }

  private forgetOldest(): void {
    const first = this.open.keys().next();
    if (first.done) return;
    const list = this.open.get(first.value)!;
    list.shift();
    if (list.length === 0) this.open.delete(first.value);
    this.openCount--;
    this.forgotten++;
  }
}

/**
 * DMA windows: a mapping from map to unmap, and the pages it covers.
 *
 * A device and an address may be mapped several times at once (without an IOMMU every mapping of a page has the page's own
 * address), so windows are counted, not flagged: each unmap closes one. A scatterlist is one window of many runs;
 * `dma_unmap_sg` names only physical addresses, so its windows are found by the first of them.
 */
import {DmaDir} from '../../events/event.js';
import {Oldest} from '../../base/oldest.js';
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
  /**
   * When the first of the windows was opened that were open under the same key when this one came; its own opening where
   * there was none. Had an unmap been lost since then, the next one would have closed the wrong window.
   */
  sharedSince: number;
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
  ) {
    this.sharedSince = open.t;
  }

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

/** Most pages of one mapping that are followed one by one, over all its runs. */
export const MAPPING_PAGES_MAX = 1 << 18;

/** Most windows open at a time that are followed; beyond it the oldest are given up (a device that never unmaps). */
export const OPEN_MAX = 200_000;
/** Most pages under all open windows, with the same end. */
const OPEN_PAGES_MAX = 1 << 22;
/** The same for windows of one address, or one list, and one direction: each unmap looks through them. */
const OF_A_KEY_MAX = 256;

/** How many windows of other devices under one address are passed over to find the last one of a device. */
const SHARED_LOOKS = 16;

/** The open windows, by what their unmap will name. */
export class DmaWindows {
  opened = 0;
  /** unmaps of mappings that were never seen (opened before the trace, or lost) */
  unmatched = 0;
  /** windows given up because too many were open */
  forgotten = 0;
  private readonly open = new Map<string, DmaWindow[]>();
  private readonly oldest = new Oldest<string>();
  private openCount = 0;
  private openPages = 0;
  /** An unmap closes the newest window of its address: where unmaps are missing for good the older ones are over. */
  newestFirst = false;
  /** told of each window that is given up */
  onForget: ((window: DmaWindow) => void) | undefined;

  add(key: string, window: DmaWindow): void {
    this.opened++;
    const list = this.open.get(key);
    if (list) {
      for (let i = list.length - 1, looks = 0; i >= 0 && looks < SHARED_LOOKS; i--, looks++) {
        if (list[i]!.device !== window.device) continue;
        window.sharedSince = Math.min(window.sharedSince, list[i]!.sharedSince);
        break; // it looked back itself
      }
      list.push(window);
      if (list.length > OF_A_KEY_MAX) this.forget(list);
    } else this.open.set(key, [window]);
    this.openCount++;
    if (this.openCount > OPEN_MAX) this.forgetOldest();
  }

  /** The pages of a window were told. */
  cover(pages: number): void {
    this.openPages += pages;
    while (this.openPages > OPEN_PAGES_MAX && this.openCount > 1) this.forgetOldest();
  }

  /**
   * Takes the window that an unmap closes: same key, of the same device where both name one (behind an IOMMU two devices
   * have the same addresses), same size if one has it, the oldest of those (or the newest, see `newestFirst`).
   */
  take(key: string, size: number, device: number): DmaWindow | undefined {
    const list = this.open.get(key);
    if (!list) return undefined;
    let at = -1;
    for (let n = 0; n < list.length; n++) {
      const i = this.newestFirst ? list.length - 1 - n : n;
      const window = list[i]!;
      if (device >= 0 && window.device >= 0 && window.device !== device) continue;
      if (at < 0) at = i;
      if (size <= 0 || window.size !== size) continue;
      at = i;
      break;
    }
    if (at < 0) return undefined;
    const [window] = list.splice(at, 1) as [DmaWindow];
    if (list.length === 0) this.open.delete(key);
    this.openCount--;
    this.openPages -= window.rows.length;
    return window;
  }

  /** Windows still open, in no particular order. */
  *live(): Iterable<DmaWindow> {
    for (const list of this.open.values()) yield* list;
  }

  private forgetOldest(): void {
    const key = this.oldest.of(this.open);
    const list = this.open.get(key)!;
    this.forget(list);
    if (list.length === 0) this.open.delete(key);
    else this.oldest.again();
  }

  private forget(list: DmaWindow[]): void {
    const window = list.shift()!;
    this.openCount--;
    this.openPages -= window.rows.length;
    this.forgotten++;
    this.onForget?.(window);
  }
}

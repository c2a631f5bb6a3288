/**
 * The open windows, by what their unmap will name, and which of them an unmap ends.
 *
 * Neither the oldest nor the newest is taken: of several windows that an unmap may end
 * - those are left out that another size, list, device or direction excludes, and those whose request is complete;
 * - a *superseded* one (nobody held its pages any more when the next of its key was opened) is stale: the unmap is given to
 *   the one that somebody held, as not certain, and is not certainly its own where no other is left; one whose address was
 *   given to other pages since is over;
 * - several that are all held become an `Overlap`: how many are left is known, which ones is not, until a request's
 *   completion in the same interrupt tells, or as many unmaps came as windows were open.
 */
import {Oldest} from '../../base/oldest.js';
import {type DmaWindow, type EndKnownBy, type Overlap} from './dma.js';
import type {Deed} from './references.js';

/** Most windows open at a time that are followed; beyond it the oldest are given up (a device that never unmaps). */
export const OPEN_MAX = 200_000;
/** Most pages under all open windows, with the same end. */
const OPEN_PAGES_MAX = 3 << 19;
/** The same for windows of one key: each unmap looks through them. */
const OF_A_KEY_MAX = 64;
/** Most stale windows of one key that are kept. */
const STALE_MAX = 4;

/** Windows of one address are told apart by direction and device: without an IOMMU a page always has its own address. */
export function addressKey(address: number): number {
  return address;
}

/** A scatterlist, by the physical address of its first entry. */
export function listKey(phys: number): number {
  return -1 - phys;
}

/** One entry of a list that is printed an entry a line. */
export function itemKey(pfn: number): number {
  return pfn + 0.5;
}

/** What the windows tell of their ends. */
export interface Ends {
  /** its end is known, as far as it will be: `close`, `endedBy` and all that are filled in */
  ended(window: DmaWindow): void;
  /** another of its key is opened when nobody holds its pages any more */
  superseded(window: DmaWindow): void;
  /** nothing more will be known of it: `endedBy` is `superseded` or `unknown` */
  abandoned(window: DmaWindow): void;
}

export class OpenWindows {
  opened = 0;
  /** unmaps of mappings that were never seen (opened before the trace, or lost) */
  unmatched = 0;
  /** windows given up because too many were open */
  forgotten = 0;
  /** newest of each key; `older` leads on */
  private readonly open = new Map<number, DmaWindow>();
  private readonly oldest = new Oldest<number>();
  private openCount = 0;
  private openPages = 0;
  private readonly found: DmaWindow[] = [];

  constructor(private readonly ends: Ends) {}

  /** Windows open now. */
  get size(): number {
    return this.openCount;
  }

  /** `held`: whether somebody holds pages of a window since before it was opened. */
  add(key: number, window: DmaWindow, held: (window: DmaWindow) => boolean): void {
    this.opened++;
    window.key = key;
    const newest = this.open.get(key);
    if (newest !== undefined) this.share(newest, window, held);
    window.older = this.open.get(key);
    this.open.set(key, window);
    this.openCount++;
    if (this.openCount > OPEN_MAX) this.forgetOldest();
  }

  /** A window is opened beside others of its key. */
  private share(newest: DmaWindow, window: DmaWindow, held: (window: DmaWindow) => boolean): void {
    let of = 0;
    let stale = 0;
    let last: DmaWindow | undefined;
    for (let w: DmaWindow | undefined = newest, older; w; w = older) {
      older = w.older;
      if (++of >= OF_A_KEY_MAX) {
        this.abandon(w, 'unknown');
        this.forgotten++;
        continue;
      }
      if (translatedAnew(w, window)) {
        window.readdressed = true;
        w.superseded = true;
        this.ends.superseded(w);
        this.abandon(w, 'superseded');
        continue;
      }
      if (!sameUser(w, window.device, window.dir)) continue;
      window.sharedSince = Math.min(window.sharedSince, w.sharedSince);
      if (!w.superseded && !held(w)) {
        w.superseded = true;
        this.ends.superseded(w);
      }
      if (!w.superseded) continue;
      if (++stale > STALE_MAX) last = w;
    }
    if (last) this.abandon(last, 'superseded');
  }

  /** The pages of a window were told. */
  cover(pages: number): void {
    this.openPages += pages;
    while (this.openPages > OPEN_PAGES_MAX && this.openCount > 1) this.forgetOldest();
  }

  /**
   * An unmap came. `size`: bytes, 0 not known; `same`: whether a list is the one that is unmapped, undefined where there is
   * no list. False where no window of it is open.
   */
  unmapped(
    key: number,
    device: number,
    dir: number,
    size: number,
    same: ((window: DmaWindow) => boolean) | undefined,
    deed: Deed,
    slot: number,
  ): boolean {
    const {found} = this;
    let n = 0; // found.length is not set: that is a call into the engine
    let exact = 0;
    for (let w = this.open.get(key); w; w = w.older) {
      if (!sameUser(w, device, dir)) continue;
      const fits = same === undefined ? size > 0 && w.size === size : same(w);
      if (fits) {
        if (exact++ === 0) n = 0;
        found[n++] = w;
      } else if (exact === 0) found[n++] = w;
    }
    if (n === 0) return false;
    const [only] = found;
    if (n === 1 && !only!.superseded && (only!.overlap === undefined || only!.overlap.ends.length === 0)) {
      this.close(only!, deed, true);
      return true;
    }
    const several = found.slice(0, n);
    const heldOnes = several.filter((w) => !w.superseded);
    const waits = heldOnes.length === 1 ? heldOnes[0]!.overlap : undefined;
    if (heldOnes.length < 2 && (waits === undefined || waits.ends.length === 0)) {
      const window = heldOnes[0] ?? only!;
      window.endCandidates = several;
      // a stale one may have been over with any unmap since, or unseen before
      window.earliestEnd = heldOnes.length === 1 ? deed : undefined;
      this.close(window, deed, false);
      return true;
    }
    const overlap = merge(heldOnes);
    overlap.ends.push({deed, slot});
    this.settle(overlap);
    return true;
  }

  /** The request that a window was made for is complete: the device is done, whether an unmap was seen or not. */
  completed(window: DmaWindow, deed: Deed, slot: number, since: number): void {
    const {overlap, request} = window;
    if (request?.maybeOver !== undefined) {
      window.earliestEnd ??= request.maybeOver;
      this.close(window, deed, false, 'completion');
      if (overlap !== undefined) this.settle(overlap);
      return;
    }
    if (overlap === undefined || overlap.ends.length === 0) {
      this.close(window, deed, true, 'completion');
      return;
    }
    // Unmap and completion come in one go, on one CPU: an unmap in the same interrupt is of the request that ends there.
    const own = overlap.ends.filter((end) => end.slot === slot && end.deed.t >= since);
    if (own.length === 1) {
      overlap.ends.splice(overlap.ends.indexOf(own[0]!), 1);
      this.close(window, own[0]!.deed, true);
    } else if (own.length === 0) this.close(window, deed, true, 'completion');
    else {
      overlap.ends.splice(overlap.ends.indexOf(own[0]!), 1);
      window.endCandidates = overlap.windows;
      window.earliestEnd = own[0]!.deed;
      this.close(window, deed, false, 'completion');
    }
    this.settle(overlap);
  }

  /** As many unmaps came as windows are open: all are over, each by one of them. */
  private settle(overlap: Overlap): void {
    const {windows, ends} = overlap;
    if (ends.length < overlap.open) return;
    const left = windows.filter((w) => w.endedBy === undefined);
    const certain = left.length === 1 && ends.length === 1;
    const last = ends[ends.length - 1];
    for (const window of left) {
      if (last === undefined) continue;
      if (!certain) {
        window.endCandidates = left;
        window.earliestEnd = ends.find((end) => end.deed.t >= window.open.t)?.deed ?? last.deed;
      }
      this.close(window, certain ? ends[0]!.deed : last.deed, certain);
    }
  }

  private close(window: DmaWindow, deed: Deed, certain: boolean, by: EndKnownBy = 'unmap'): void {
    window.close = deed;
    window.endedBy = by;
    window.certainEnd = certain;
    if (certain) window.earliestEnd = window.request?.givenBack ?? deed;
    this.remove(window);
    this.ends.ended(window);
  }

  private abandon(window: DmaWindow, by: EndKnownBy): void {
    window.endedBy = by;
    this.remove(window);
    this.ends.abandoned(window);
  }

  /** A window that is none after all: the mapping failed, or another event tells of it better. */
  withdraw(window: DmaWindow): void {
    if (window.endedBy === undefined) this.remove(window);
  }

  private remove(window: DmaWindow): void {
    const newest = this.open.get(window.key);
    if (newest === window) {
      if (window.older === undefined) this.open.delete(window.key);
      else this.open.set(window.key, window.older);
    } else {
      let w = newest;
      while (w && w.older !== window) w = w.older;
      if (w === undefined) return;
      w.older = window.older;
    }
    window.older = undefined;
    this.openCount--;
    this.openPages -= window.rows.length;
    if (window.overlap) window.overlap.open--;
  }

  /** Windows still open, in no particular order. */
  *live(): Iterable<DmaWindow> {
    for (const newest of this.open.values()) for (let w: DmaWindow | undefined = newest; w; w = w.older) yield w;
  }

  private forgetOldest(): void {
    const key = this.oldest.of(this.open);
    let oldest = this.open.get(key)!;
    while (oldest.older) oldest = oldest.older;
    this.forgotten++;
    this.abandon(oldest, 'unknown');
    if (this.open.has(key)) this.oldest.again();
  }
}

/** The same direction, and the same device where both name one (behind an IOMMU two devices have the same addresses). */
function sameUser(window: DmaWindow, device: number, dir: number): boolean {
  return window.dir === dir && (device < 0 || window.device < 0 || window.device === device);
}

/**
 * The address was given to other pages, as only an IOMMU or a bounce buffer can: what had it is over, its unmap was not seen.
 */
function translatedAnew({address, device, runs}: DmaWindow, window: DmaWindow): boolean {
  return address >= 0 && device >= 0 && device === window.device && runs[0]?.pfn !== window.runs[0]?.pfn;
}

/** One overlap of all these windows. */
function merge(windows: readonly DmaWindow[]): Overlap {
  const [first, ...more] = new Set(windows.map((w) => w.overlap).filter((o) => o !== undefined));
  const overlap: Overlap = first ?? {windows: [], ends: [], open: 0};
  for (const other of more) {
    overlap.windows.push(...other.windows);
    overlap.ends.push(...other.ends);
    overlap.open += other.open;
    for (const window of other.windows) window.overlap = overlap;
  }
  if (more.length > 0) overlap.ends.sort((a, b) => a.deed.t - b.deed.t);
  for (const window of windows) {
    if (window.overlap === overlap) continue;
    window.overlap = overlap;
    overlap.windows.push(window);
    overlap.open++;
  }
  return overlap;
}

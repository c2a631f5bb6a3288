/**
 * DMA windows: a mapping from map to its end, the pages it covers, and how its end is known.
 *
 * A device and an address may be mapped several times at once (without an IOMMU every mapping of a page has the page's own
 * address), and an unmap names no mapping, only an address or a list: which window it ends is a *set* of candidates, nearly
 * always of one. The end of DMA is not always an unmap: where dma_need_unmap() is false (direct mapping, no bounce
 * buffers) drivers of block devices since 6.17 leave most mappings open for good, and the device is done when the request
 * completes. A window therefore carries how its end is known (`endedBy`), and whether it is its own (`certainEnd`).
 *
 * What may be asked of a window: `liveAt(window, t)`.
 */
import {DmaDir} from '../../events/event.js';
import type {Era} from '../../capture/era.js';
import type {Life} from './life.js';
import type {Deed} from './references.js';

/** Under what a window was opened; see trackers/owners.ts for how it is told. */
export type WindowOwner = 'pin' | 'get' | 'writeback' | 'ambiguous' | 'none';

/**
 * How the end of a window is known: its unmap; the completion of the request it was made for; `superseded`, the same
 * device mapped the same address in the same direction again, and nobody knows when the first was over; `unknown`.
 */
export type EndKnownBy = 'unmap' | 'completion' | 'superseded' | 'unknown';

/** Most pages of one run that are followed one by one (1 GiB of a VFIO mapping is one event). */
export const WINDOW_PAGES_MAX = 1 << 16;
/** Most pages of one mapping that are followed one by one, over all its runs. */
export const MAPPING_PAGES_MAX = 1 << 18;

const NO_ROWS = new Int32Array(0);
const NO_WINDOWS: readonly DmaWindow[] = [];

/** A run of physically contiguous pages. */
export interface Run {
  pfn: number;
  pages: number;
}

export class DmaWindow {
  /** when over; the last event that may have been its end, where that is not certain. Undefined while it is open. */
  close: Deed | undefined = undefined;
  /** how that is known; undefined while it is open */
  endedBy: EndKnownBy | undefined = undefined;
  /** `close` is its own end for certain; false while it is open */
  certainEnd = false;
  /**
   * The first event that may have been its end: `close` itself where that is certain; where its request was given back to
   * the block layer (requeued) before it was complete, that, also while it is open.
   */
  earliestEnd: Deed | undefined = undefined;
  /** the windows that the event which ended this one may have ended instead; none where that is certain */
  endCandidates: readonly DmaWindow[] = NO_WINDOWS;
  /**
   * A mapping of the same key was opened over it when no reference from before it was left: it had ended unseen (a driver
   * that skips the unmap, a lost event), or its owner let go too soon. No proof of either.
   */
  superseded = false;
  /**
   * Another mapping had its address when it was opened: the unmap of that one is missing, or another CPU's clock prints it late,
   * and it may be taken for this one's.
   */
  readdressed = false;
  /** open together with others of its key, all held by somebody, of which an unmap ended one */
  overlap: Overlap | undefined = undefined;
  /** the block request it was made for, where that was seen */
  request: DmaRequest | undefined = undefined;
  /** the device reads or writes a bounce buffer (swiotlb): the page itself is touched by the CPU, at map and unmap or sync */
  bounced = false;
  /** its address is not the page's, and whether that is an IOMMU's or a bounce buffer's the trace does not tell */
  mayBeBounced = false;
  /** entries of its list that the trace does not print: pages that it covers and `runs` does not hold */
  cut = 0;
  /** of a list behind an IOMMU: its addresses on the device's side, merged as the IOMMU merged them */
  spans: readonly {address: number; size: number}[] | undefined = undefined;
  /** rows of the pages it covers, run by run, at most WINDOW_PAGES_MAX of each */
  rows: Int32Array = NO_ROWS;
  /**
   * When the first of the windows was opened that were open under the same key when this one came; its own opening where
   * there was none.
   */
  sharedSince: number;
  /** the window that this was a part of until the part was unmapped by itself (IOMMU) */
  partOf: DmaWindow | undefined = undefined;
  /** an iommu:map event inside a dma_map_*() call, whose own event tells the mapping better: no mapping of its own */
  inCall = false;
  /** the ledger wrote down that it began, on some of its pages */
  written = false;
  /** next older open window of the same key, see OpenWindows */
  older: DmaWindow | undefined = undefined;
  /** what its unmap will name, see OpenWindows */
  key = 0.5;

  constructor(
    /** index into the mappings' devices; -1 not known */
    public device: number,
    public dir: number,
    /** bus address; -1 for scatterlists */
    readonly address: number,
    /** bytes; of a list the sum of what is printed; 0 where nothing is */
    readonly size: number,
    public runs: readonly Run[],
    readonly open: Deed,
    /** seen only as an iommu:map event: no device, no direction of its own */
    readonly iommuOnly: boolean,
  ) {
    this.sharedSince = open.t;
  }

  /** Whether the device may write into the pages. */
  get deviceWrites(): boolean {
    return this.dir === DmaDir.fromDevice || this.dir === DmaDir.bidirectional || this.dir === DmaDir.unknown;
  }

  /** Whether pages of it are not known. */
  get truncated(): boolean {
    return this.cut > 0;
  }
}

/**
 * Windows of one key (device, direction, address or list) that were open together, each with its holder, when unmaps came
 * that could be of any of them. They begin with one page, and may be of several lengths: how many are left is certain, which ones
 * is not.
 */
export interface Overlap {
  /** in the order they were opened; also those that are over */
  readonly windows: DmaWindow[];
  /** the unmaps, and on which CPU and in which context each came (Calls.slot) */
  readonly ends: {deed: Deed; slot: number}[];
  /** of `windows`, those still open */
  open: number;
}

/** Whether an IOMMU stands before the mapping's pages: only its addresses can be in a fault of translation. `page`: in bytes. */
export function translated({iommuOnly, spans, address, runs}: DmaWindow, page: number): boolean {
  if (iommuOnly || spans !== undefined) return true;
  return address >= 0 && runs.length > 0 && Math.floor(address / page) !== runs[0]!.pfn;
}

/** How many windows over a page were live at a time at least, of an overlap whose ends are known. */
export function countAt(overlap: Overlap, pfn: number, t: number): number {
  let live = 0;
  for (const {open, runs, certainEnd, close, endedBy, earliestEnd} of overlap.windows) {
    if (!runs.some((run) => pfn >= run.pfn && pfn < run.pfn + run.pages)) continue;
    // `ends` has the unmaps that are nobody's own
    const end = certainEnd ? close : endedBy === 'completion' ? earliestEnd : undefined;
    if (open.t <= t && !(end !== undefined && end.t <= t)) live++;
  }
  for (const {deed} of overlap.ends) if (deed.t <= t) live--;
  return live;
}

/**
 * Whether a device only reads through a mapping if it was made for a reference with these gup flags: who registers memory maps it for
 * both directions whatever it is for, and the device may write only what FOLL_WRITE took (ib_umem_get(),
 * drivers/infiniband/core/umem.c; i915_gem_gtt_prepare_pages() of a read-only object).
 */
export function onlyReads({dir}: DmaWindow, gupFlags: number, era: Era): boolean {
  return dir === DmaDir.bidirectional && gupFlags >= 0 && !era.isWrite(gupFlags);
}

/**
 * Whether a device may touch the pages of a window at a time: `live` for certain, `ended` before for certain, or `open`,
 * and why. Ask it when the window is over, or when the trace is: an open window's end may still come.
 *
 * `live` rests on unmaps being recorded and on a device that does unmap (`DmaDevice.leavesOpen`).
 */
export function liveAt(window: DmaWindow, t: number): {state: 'live' | 'ended' | 'open'; why: string} {
  const {close, earliestEnd} = window;
  if (t < window.open.t) return {state: 'ended', why: ''};
  // At one time the order of the lines decides, and whether it may: that is not asked here.
  if (earliestEnd !== undefined && t <= earliestEnd.t) return {state: 'live', why: ''};
  if (window.request?.givenBack !== undefined && (close === undefined || t < close.t)) {
    const {line} = window.request.givenBack;
    return {
      state: 'open',
      why: `line ${line} puts its request back into the queue, not complete: when the device was done with these pages is not known`,
    };
  }
  if (close === undefined || earliestEnd === undefined) {
    const why =
      window.endedBy === 'superseded' || window.superseded
        ? 'the device mapped the same address again, and when the first mapping was over is not known'
        : 'the unmap of the mapping was not seen';
    return {state: 'open', why};
  }
  if (window.certainEnd) return {state: 'ended', why: ''};
  if (window.endedBy === 'completion' && (window.request?.rivals ?? 0) > 1)
    return {
      state: 'open',
      why: `${window.request!.rivals} requests for the same sectors were in flight, and which of them line ${earliestEnd.line} completed is not known`,
    };
  if (window.endedBy === 'completion' && window.endCandidates.length === 0)
    return {
      state: 'open',
      why: `line ${earliestEnd.line} completes a part of its request: whether that is of these pages is not known`,
    };
  return {
    state: 'open',
    why: `${window.endCandidates.length} mappings of the same address were open, and which of them the unmap at line ${earliestEnd.line} ended is not known`,
  };
}

/** What a device may have been seen to do (`DmaDevice`). */
export type DeviceHabit = 'servesOthers' | 'servesUnheld' | 'followsTables' | 'maySend' | 'mayBeGiven';

/** What a mapping may be for, other than for its owner, where its device was seen to do so. */
export interface Unless {
  why: string;
  device: DeviceHabit;
}

/** One page of one window: hangs on the page's row. */
export interface DmaLink {
  window: DmaWindow;
  /** generation of the row when the window was opened */
  generation: number;
  owner: WindowOwner;
  /** `owner` is proven; else `ownerWhy` says what else it may be */
  ownerCertain: boolean;
  ownerWhy: string;
  /** what else it may be where the device does such a thing; undefined otherwise */
  unless: Unless | undefined;
  /**
   * where the page's count left room for a reference beside those that were known: since when that may have been taken; where gets do
   * not show, the mapping may be that one's
   */
  roomSince: number;
  /** the entry of the mapping's beginning on this page's folio, and the life that it is of; 0 and undefined where none was written */
  entry: number;
  life: Life | undefined;
  next: DmaLink | undefined;
}

/** A request to a device, from its issue to its completion, and the mappings made for it. */
export interface DmaRequest {
  /** the block device: major * 2^20 + minor; of a command of a bus -1 */
  readonly of: number;
  readonly write: boolean;
  readonly issued: Deed;
  /** when the device was done with it */
  completed: Deed | undefined;
  readonly windows: DmaWindow[];
  /** bytes that are not complete yet */
  left: number;
  /** when the driver gave it back, not complete: it is issued again as another one */
  givenBack: Deed | undefined;
  /** mappings of the requests that this one is issued again of, which have no end of their own */
  earlier: readonly DmaWindow[];
  /** the one before it that begins with the same sector and is in flight still */
  older: DmaRequest | undefined;
  /** completions that may have been its own, the first of them (or of a part of it), the last, and of how many requests they may have been */
  completions: number;
  maybeOver: Deed | undefined;
  lastMaybe: Deed | undefined;
  rivals: number;
}

/** A device, and what it was seen to do with its mappings. */
export class DmaDevice {
  maps = 0;
  unmaps = 0;
  /** windows that ended by the completion of their request, with no unmap seen */
  completions = 0;
  /** windows over which another of their key was opened when they had nobody left */
  superseded = 0;

  /** its addresses are not those of the pages: an IOMMU, or bounce buffers */
  translated = false;
  /** it mapped pages that nobody held by pin or get: of the page cache, of drivers */
  servesOthers = false;
  /** the same for mappings that it may write through: page tables that it follows (HMM), what it reads ahead */
  servesUnheld = false;
  /** pages that it mapped for both directions: those that nobody held, and those that were pinned */
  unheldBothWays = 0;
  pinnedBothWays = 0;
  /** it mapped pages right after they were pinned, in the same task: its driver pins what it maps */
  pinsItself = false;
  /** it mapped pages for those who had pinned them to read into: a disk, or what programs use directly */
  readsIn = false;
  /** it mapped what is as long as the head of a packet: a network card, one of RDMA as well if it reads in (nvme_rdma_map_data() beside nvme-tcp) */
  sendsPackets = false;
  /** unmaps without a map in the trace */
  private unmatched = 0;

  constructor(readonly name: string) {}

  /**
   * An unmap of it has no map. True where that is an exception: maps of some kinds may not be recorded at all, or not as
   * their unmaps are, and a completion may have ended the mapping before its unmap came.
   */
  mapMissing(): boolean {
    this.unmatched++;
    return this.completions === 0 && this.unmaps >= this.unmatched * UNPAIRED_SHARE;
  }

  /** Whether it may be a network card: that maps what it sends under references of the packets, and never what somebody pinned to read into. */
  get maySend(): boolean {
    return this.servesOthers && (!this.readsIn || this.sendsPackets);
  }

  /**
   * Whether it may map only what others give it, who hold it in their own way: memory of a dma-buf, or of page tables that it follows.
   * What it was given may be pinned by the same program, for something else.
   */
  get mayBeGiven(): boolean {
    return !this.pinsItself;
  }

  /** Whether it maps pages that nobody holds for both directions, as hardware does that follows page tables (HMM, on-demand paging of RDMA). */
  get followsTables(): boolean {
    return this.unheldBothWays * UNHELD_SHARE > this.pinnedBothWays;
  }

  /** windows with no end so far; of these some are in use */
  get unpaired(): number {
    return this.maps - this.unmaps - this.completions;
  }

  /**
   * The device's driver leaves mappings open for good (dma_need_unmap() is false; kernel-facts B5), or so many of its
   * unmaps are missing that it comes to the same: an unpaired mapping of it says nothing. Asked when the trace has ended:
   * before that what is in use counts too.
   */
  get leavesOpen(): boolean {
    return this.leftOpen || (this.unpaired >= UNPAIRED_FEW && this.unpaired * UNPAIRED_SHARE > this.maps);
  }

  /** The same by what is certain so far: requests that were complete with no unmap, mappings made over others. */
  get leftOpen(): boolean {
    if (this.completions * COMPLETIONS_SHARE > this.maps) return true;
    return this.superseded >= UNPAIRED_FEW && this.superseded * UNPAIRED_SHARE > this.maps;
  }
}

/**
 * Whether a mapping is as long as the head of a packet, which its card maps by itself: 14 bytes of Ethernet, and of IP and TCP 40
 * at least, by fours (eth_header(), net/ethernet/eth.c). What disks are given is of whole sectors, and their commands are shorter.
 */
export function isPacketHead({dir, address, size}: Pick<DmaWindow, 'dir' | 'address' | 'size'>): boolean {
  return dir === DmaDir.toDevice && address >= 0 && size >= 54 && size % 4 === 2;
}

/** So few of a device's mappings may have lost their unmap; more ended without. */
const COMPLETIONS_SHARE = 20;
/** Fewer mappings without an end are no habit: the trace ends, a line is lost. */
const UNPAIRED_FEW = 8;
/** One of so many is. */
const UNPAIRED_SHARE = 8;
/** Of so few pages the line of a pin may be lost, or it was dropped too early. */
const UNHELD_SHARE = 8;

/** What a line of evidence that ends a mapping shows: its unmap, or the completion of the request that it was made for. */
export function endRole({endedBy}: Pick<DmaWindow, 'endedBy'>): 'dma-unmap' | 'dma-complete' {
  return endedBy === 'completion' ? 'dma-complete' : 'dma-unmap';
}

/**
 * The pages under DMA windows: each page's row names the windows over it, newest first, and under what each was opened.
 */
import {
  type DeviceUse,
  type DmaLink,
  type DmaWindow,
  MAPPING_PAGES_MAX,
  type Run,
  WINDOW_PAGES_MAX,
  type WindowOwner,
} from '../tables/dma.js';
import {Context, DmaDir, type TraceEvent} from '../../events/event.js';
import {What} from '../tables/journal.js';
import type {Model} from '../model.js';
import {PageState} from '../tables/page-table.js';
import type {Deed, Reference} from '../tables/references.js';

/** Most mappings of one page that are followed at a time; the oldest are given up. */
const LINKS_MAX = 32;
/** The same for a device that in so many maps was never seen to unmap: nothing is told of those, and they never end. */
const LINKS_NEVER_UNMAPPED = 4;
const NEVER_UNMAPPED_MAPS = 200;
/** Mappings that end one after the other in one context, this close, may be followed by their unpins. */
const UNMAP_RUN_NS = 1_000_000;
const UNMAP_RUN_MAX = 64;

export class DmaPages {
  constructor(
    private readonly m: Model,
    private readonly devices: readonly DeviceUse[],
  ) {}

  /** log2 of the page size, as far as known (capture/page-size.ts) */
  get pageShift(): number {
    const {pageSize} = this.m;
    pageSize.used = true;
    return pageSize.shift;
  }

  /** The pages of `length` bytes that begin `offset` bytes into a page. */
  run(pfn: number, offset: number, length: number): Run {
    const page = 2 ** this.pageShift;
    return {pfn, pages: Math.max(1, Math.ceil(((offset % page) + length) / page))};
  }

  /** The runs as far as they are followed. */
  followed(runs: Run[]): Run[] {
    const {limits, events} = this.m;
    let left = limits.tired(events) ? runs.length : MAPPING_PAGES_MAX;
    let cut = false;
    const out: Run[] = [];
    for (const {pfn, pages} of runs) {
      const n = Math.min(pages, WINDOW_PAGES_MAX, Math.max(1, left - (runs.length - 1 - out.length)));
      if (n < pages) cut = true;
      left -= n;
      out.push({pfn, pages: n});
    }
    if (cut) limits.hit('mapping-pages');
    return out;
  }

  /** A window opens over its pages. */
  attach(ev: TraceEvent, window: DmaWindow): void {
    const {m} = this;
    const {pages, limits} = m;
    if (window.device >= 0) this.devices[window.device]!.maps++;
    let covered = 0;
    for (const run of window.runs) covered += run.pages;
    const rows = (window.rows = new Int32Array(covered));
    let at = 0;
    for (const run of window.runs) {
      for (let i = 0; i < run.pages; i++) {
        const pfn = run.pfn + i;
        const row = pages.row(pfn, ev.t);
        rows[at++] = row;
        if (row < 0) continue;
        const folio = pages.folioOf(row);
        // A folio with many references, under a mapping of many of its pages: each page would look through all of them.
        limits.looks += 1 + (folio === row ? 0 : pages.listed[folio]!);
        const owner = limits.tired(m.events) ? 'ambiguous' : this.ownerOf(pfn, folio, window);
        const link: DmaLink = {window, generation: pages.generation[row]!, owner, next: pages.dma[row]};
        pages.dma[row] = link;
        if (link.next !== undefined) this.shorten(link);
        if ((owner === 'pin' || owner === 'get') && window.deviceWrites && !window.iommuOnly)
          this.wrote(pfn, folio, window);
        if (pages.journals[row]) m.note(row, ev, What.dmaMap, NaN, journalled(window), 0);
      }
    }
    for (const tell of m.on.dmaOpened) tell(window);
  }

  /** Cuts the mappings of a page to the newest: a device that never unmaps (dma_need_unmap() is false) adds one an I/O. */
  private shorten(newest: DmaLink): void {
    const device = this.devices[newest.window.device];
    const ends = device === undefined || device.unmaps > 0 || device.maps < NEVER_UNMAPPED_MAPS;
    let left = ends ? LINKS_MAX : LINKS_NEVER_UNMAPPED;
    for (let link: DmaLink | undefined = newest; link; link = link.next) {
      if (--left > 0) continue;
      if (link.next && ends) this.m.limits.hit('mappings');
      link.next = undefined;
    }
  }

  /** A window is no longer over its pages. */
  detach(window: DmaWindow): void {
    const {dma} = this.m.pages;
    const {rows} = window;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      if (row < 0) continue;
      let link = dma[row];
      if (link?.window === window) {
        dma[row] = link.next;
        continue;
      }
      while (link?.next && link.next.window !== window) link = link.next;
      if (link?.next) link.next = link.next.next;
    }
  }

  /** A device may write a page from now on: the references that cover it know. */
  private wrote(pfn: number, folio: number, window: DmaWindow): void {
    const {pages} = this.m;
    for (let r = pages.references[folio]; r; r = r.next) {
      if (r.sub >= 0 && pages.state[folio]! & PageState.large && (pfn < r.sub || pfn >= r.sub + r.n)) continue;
      r.deviceWrote = true;
      r.device = window.device;
    }
  }

  /**
   * Under what a mapping was opened. A page that is both pinned and under writeback is mapped TO_DEVICE once by the
   * writeback itself; which of several such mappings is whose cannot be told.
   */
  private ownerOf(pfn: number, folio: number, window: DmaWindow): WindowOwner {
    const {pages} = this.m;
    const pinned = this.m.holds(folio, 'pin', pfn);
    const writeback = pages.writebacks[folio];
    if (writeback && window.dir === DmaDir.toDevice) {
      if (!writeback.ownMapping) {
        writeback.ownMapping = true;
        return 'writeback';
      }
      return pinned ? 'ambiguous' : 'writeback';
    }
    if (pinned) return 'pin';
    if (this.m.holds(folio, 'get', pfn)) return 'get';
    return 'none';
  }

  /** Whether a device may write a page of a folio now, through a mapping opened under a pin or get that covers it. */
  deviceWritesNow(row: number, reference: Reference): boolean {
    const {pages} = this.m;
    const first = reference.sub >= 0 ? reference.sub : pages.pfn[row]!;
    const n = reference.sub >= 0 ? reference.n : 1 << pages.order[row]!;
    const {limits, events} = this.m;
    for (let i = 0; i < n && i < WINDOW_PAGES_MAX; i++) {
      if ((i & 255) === 0) {
        limits.looks += Math.min(256, n - i);
        if (limits.tired(events)) return false;
      }
      const page = first + i === pages.pfn[row] ? row : pages.find(first + i);
      if (page < 0) continue;
      for (let link = pages.dma[page]; link; link = link.next) {
        if ((link.owner === 'pin' || link.owner === 'get') && link.window.deviceWrites && !link.window.iommuOnly)
          return true;
      }
    }
    return false;
  }

  /** A window ends with the event at hand. */
  close(ev: TraceEvent, window: DmaWindow): void {
    const {m} = this;
    if (window.device >= 0) this.devices[window.device]!.unmaps++;
    const deed = m.deed(ev);
    window.close = deed;
    for (const tell of m.on.dmaClosed) tell(window);
    const slot = m.calls.slot(ev.cpu, ev.context);
    const run = m.calls.unmapped[slot];
    if (run && ev.t - run.t <= UNMAP_RUN_NS && run.windows.length < UNMAP_RUN_MAX) {
      run.t = ev.t;
      run.windows.push(window);
    } else m.calls.unmapped[slot] = {t: ev.t, windows: [window]};
    this.ioEnded(window, deed, ev.context !== Context.task);
    this.detach(window);
    for (const run of window.runs) {
      const row = m.pages.find(run.pfn);
      if (row >= 0 && m.pages.journals[row]) m.note(row, ev, What.dmaUnmap, NaN, journalled(window), window.open.line);
    }
  }

  private ioEnded(window: DmaWindow, deed: Deed, outsideTask: boolean): void {
    const {pages, limits, events} = this.m;
    const {rows} = window;
    let before = -1;
    for (let i = 0; i < rows.length; i++) {
      const folio = pages.folioOf(rows[i]!);
      if (folio === before) continue;
      before = folio;
      if (pages.listed[folio]! > 1) {
        limits.looks += pages.listed[folio]!;
        if (limits.tired(events)) return;
      }
      for (let r = pages.references[folio]; r; r = r.next) {
        r.ioEnded = deed;
        if (outsideTask) r.ioDoneOutsideTask = true;
      }
    }
  }
}

/** Device and direction as a journal entry holds them. */
function journalled(window: DmaWindow): number {
  return (window.device + 1) * 8 + window.dir + 1;
}

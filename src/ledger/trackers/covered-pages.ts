/**
 * The pages under DMA windows: each page's row names the windows over it, newest first, and under what each was opened.
 */
import {
  DmaDevice,
  type DmaLink,
  type DmaWindow,
  isPacketHead,
  MAPPING_PAGES_MAX,
  onlyReads,
  type Run,
  WINDOW_PAGES_MAX,
} from '../tables/dma.js';
import {DmaDir, EventKind as K, type TraceEvent} from '../../events/event.js';
import type {Breach} from '../../capture/audit.js';
import type {Uses} from './around.js';
import {linkOf, Owners} from './owners.js';
import {PageState} from '../tables/page-table.js';
import type {Reference} from '../tables/references.js';

/** Most mappings of one page that are followed at a time; the oldest are given up. */
const LINKS_MAX = 32;
/** The same for a device that leaves its mappings open: they are not told of. */
const LINKS_LEFT_OPEN = 4;
const LEFT_OPEN_MAPS = 200;
/** Most pages of a mapping without a map that are told of. */
const MISSING_MAX = 64;
/** Mappings that end one after the other in one context, this close, may be followed by their unpins. */
const UNMAP_RUN_NS = 1_000_000;
const UNMAP_RUN_MAX = 64;

export class CoveredPages {
  /** of programs that print no device: what all of them do */
  readonly unnamed = new DmaDevice('');
  readonly owners: Owners;

  constructor(
    private readonly around: Uses<'capture' | 'pages' | 'evidence' | 'book' | 'calls' | 'on'>,
    private readonly devices: readonly DmaDevice[],
  ) {
    this.owners = new Owners(around, devices);
  }

  /** log2 of the page size, as far as known (capture/page-size.ts) */
  get pageShift(): number {
    const {pageSize} = this.around.capture;
    pageSize.used = true;
    return pageSize.shift;
  }

  /** The physical address of a page. */
  physOf(pfn: number): number {
    return pfn * (1 << this.pageShift);
  }

  /** The pages of `length` bytes that begin `offset` bytes into a page. */
  run(pfn: number, offset: number, length: number): Run {
    const page = 1 << this.pageShift;
    return {pfn, pages: Math.max(1, Math.ceil(((offset % page) + length) / page))};
  }

  /** The runs as far as they are followed. */
  followed(runs: Run[]): Run[] {
    const {limits} = this.around.capture;
    let left = limits.tired() ? runs.length : MAPPING_PAGES_MAX;
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
    const {around} = this;
    const {pages, capture} = around;
    const {limits} = capture;
    const device = this.devices[window.device];
    let covered = 0;
    for (const run of window.runs) covered += run.pages;
    const rows = (window.rows = new Int32Array(covered));
    let at = 0;
    let before = -1;
    let entry = 0;
    for (const run of window.runs) {
      for (let i = 0; i < run.pages; i++) {
        const pfn = run.pfn + i;
        const row = pages.row(pfn, ev.t);
        rows[at++] = row;
        if (row < 0) continue;
        limits.looks++;
        const folio = pages.folioOf(row);
        const owner = this.owners.of(pfn, folio, window, pages.dma[row]);
        const mayBeGot = owner.owner === 'pin' && owner.certain && this.owners.mayBeGot(folio);
        const roomSince = mayBeGot ? pages.since[folio]! : Infinity;
        const link = linkOf(window, pages.generation[row]!, owner, pages.dma[row], roomSince);
        if (device !== undefined && (owner.owner === 'none' || owner.owner === 'writeback')) {
          device.servesOthers = true;
          if (owner.owner === 'none' && isPacketHead(window)) device.sendsPackets = true;
          if (window.deviceWrites && owner.owner === 'none') device.servesUnheld = true;
        }
        const of = device ?? this.unnamed;
        if (!of.pinsItself && this.owners.isAtOnce(owner, folio, pfn, window)) of.pinsItself = true;
        if (window.dir === DmaDir.bidirectional) {
          if (owner.owner === 'pin') of.pinnedBothWays++;
          else if (owner.owner === 'none' && this.owners.unheld(folio)) of.unheldBothWays++;
        }
        pages.dma[row] = link;
        if (link.next !== undefined) this.shorten(link);
        if ((owner.owner === 'pin' || owner.owner === 'get') && window.deviceWrites && !window.iommuOnly)
          this.wrote(pfn, folio, window);
        if (!around.book.lives.has(folio)) continue;
        // once for the pages of a folio that follow each other
        if (folio === before) {
          link.entry = entry;
          link.life = pages.lives[folio];
        } else entry = around.book.mapped(folio, link, pfn, run.pfn + run.pages - pfn);
        before = entry === 0 ? -1 : folio;
      }
      before = -1;
    }
    for (const tell of around.on.dmaOpened) tell(window);
  }

  /** Cuts the mappings of a page to the newest: a device that leaves mappings open adds one an I/O. */
  private shorten(newest: DmaLink): void {
    const device = this.devices[newest.window.device];
    const ends = device === undefined || device.maps < LEFT_OPEN_MAPS || (device.unmaps > 0 && !device.leavesOpen);
    let left = ends ? LINKS_MAX : LINKS_LEFT_OPEN;
    for (let link: DmaLink | undefined = newest; link; link = link.next) {
      if (--left > 0) continue;
      if (link.next && ends) this.around.capture.limits.hit('mappings');
      link.next = undefined;
    }
  }

  /**
   * A mapping of these pages was unmapped and its map is not in the trace. Of a page whose life is, the map is missing: a
   * mapping does not outlive its page. `law`: the device's other unmaps have their maps, so that it is missing and not of a
   * kind that is not recorded.
   */
  mapMissing(ev: TraceEvent, law: boolean, runs: readonly Run[]): void {
    const {pages, capture} = this.around;
    let left = MISSING_MAX;
    let from = Infinity;
    for (const run of runs) {
      for (let i = 0; i < run.pages && left-- > 0; i++) {
        const row = pages.find(run.pfn + i);
        if (row < 0 || (pages.state[row]! & PageState.lifeSeen) === 0) continue;
        from = Math.min(from, pages.since[row]!);
        const breach: Breach = {
          law: 'unmap-has-map',
          what: 'mapped',
          from: pages.since[row]!,
          to: ev.t,
          pfn: run.pfn + i,
          line: ev.line,
          why: `line ${ev.line} unmaps the page and its map is not in the trace`,
        };
        if (law) capture.audit.breach(breach);
        else capture.audit.page({...breach, only: true});
      }
    }
    // the unmap of a list names where its entries begin, and not how many pages each has
    if (ev.kind !== K.DmaUnmap && from < Infinity)
      capture.audit.anyPage(
        'mapped',
        from,
        ev.t,
        `line ${ev.line} unmaps a list whose map is not in the trace`,
        ev.line,
      );
  }

  /** Whether a window was opened for a pin or get of its first page. */
  isHeld(window: DmaWindow): boolean {
    const row = window.rows[0];
    const owner = row === undefined || row < 0 ? undefined : this.linkTo(row, window)?.owner;
    return owner === 'pin' || owner === 'get';
  }

  /** A window is no longer over its pages. */
  detach(window: DmaWindow): void {
    const {dma} = this.around.pages;
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
    const {capture, pages} = this.around;
    for (let r = pages.references[folio]; r; r = r.next) {
      if (pages.state[folio]! & PageState.large && !r.covers(pfn)) continue;
      if (onlyReads(window, r.gupFlags, capture.era)) continue;
      r.deviceWrote = true;
      r.device = window.device;
    }
  }

  /**
   * Whether a device may write a page of a folio now, through a mapping opened under a pin or get that covers it. One that
   * another has superseded is over as far as is known.
   */
  deviceWritesNow(row: number, reference: Reference): boolean {
    const {pages} = this.around;
    const first = reference.sub >= 0 ? reference.sub : pages.pfn[row]!;
    const n = reference.sub >= 0 ? reference.span : 1 << pages.order[row]!;
    const {era, limits} = this.around.capture;
    for (let i = 0; i < n && i < WINDOW_PAGES_MAX; i++) {
      if ((i & 255) === 0) {
        limits.looks += Math.min(256, n - i);
        if (limits.tired()) return false;
      }
      const page = first + i === pages.pfn[row] ? row : pages.find(first + i);
      if (page < 0) continue;
      for (let link = pages.dma[page]; link; link = link.next) {
        const {owner, window} = link;
        if ((owner !== 'pin' && owner !== 'get') || !window.deviceWrites || window.iommuOnly) continue;
        if (window.open.t < reference.t || window.superseded) continue;
        if (!onlyReads(window, reference.gupFlags, era)) return true;
      }
    }
    return false;
  }

  /** The event at hand says that a window is over: its `close` and the rest are filled in. */
  ended(ev: TraceEvent, window: DmaWindow): void {
    const {around} = this;
    // an iommu:unmap event names no device, and each domain has addresses of its own: it may be of another that has the same
    if (window.certainEnd && window.close !== undefined && !window.readdressed && !window.iommuOnly)
      around.capture.skew.caused(window.open, window.close);
    this.writeEnd(window);
    for (const tell of around.on.dmaClosed) tell(window);
    const slot = around.calls.slot(ev.cpu, ev.context);
    const run = around.calls.unmapped[slot];
    if (run?.pid === ev.pid && ev.t - run.t <= UNMAP_RUN_NS && run.windows.length < UNMAP_RUN_MAX) {
      run.t = ev.t;
      run.windows.push(window);
    } else around.calls.unmapped[slot] = {t: ev.t, pid: ev.pid, windows: [window]};
    this.ioEnded(window);
    this.detach(window);
  }

  /** A mapping is over: that is written down where its beginning was, and of pages that matter by now. */
  private writeEnd(window: DmaWindow): void {
    const {pages, book} = this.around;
    const {rows, written} = window;
    let before = -1;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      if (row < 0) continue;
      const folio = pages.folioOf(row);
      if (folio === before || (!written && pages.lives[folio] === undefined)) continue;
      const link = this.linkTo(row, window);
      if (link === undefined) continue;
      before = folio;
      const same = link.generation === pages.generation[row];
      book.unmapped(folio, window, link, same, this.coversMore(folio, window.partOf));
    }
  }

  /** Whether a mapping of which a part is over still covers a page of a folio. */
  private coversMore(folio: number, whole: DmaWindow | undefined): boolean {
    if (whole === undefined) return false;
    const {pages} = this.around;
    const first = pages.pfn[folio]! - whole.runs[0]!.pfn;
    const end = Math.min(whole.rows.length, first + (1 << pages.order[folio]!));
    for (let i = Math.max(0, first); i < end; i++) if (whole.rows[i]! >= 0) return true;
    return false;
  }

  /** What was written down of a mapping is no mapping: its call failed (`failed`), or the call's own event tells it better. */
  unwrite(window: DmaWindow, failed: boolean): void {
    if (!window.written) return;
    for (const row of window.rows) {
      const link = row < 0 ? undefined : this.linkTo(row, window);
      if (link !== undefined) this.around.book.unmade(link, failed);
    }
  }

  private linkTo(row: number, window: DmaWindow): DmaLink | undefined {
    let link = this.around.pages.dma[row];
    while (link !== undefined && link.window !== window) link = link.next;
    return link;
  }

  /** The references that a mapping was made under know that their I/O is over, and how. */
  private ioEnded(window: DmaWindow): void {
    const {pages, capture} = this.around;
    const ofSectors = window.request !== undefined && window.request.of >= 0;
    const {limits} = capture;
    const {rows} = window;
    let before = -1;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      if (row < 0) continue;
      const folio = pages.folioOf(row);
      if (folio === before || pages.references[folio] === undefined) continue;
      let link = pages.dma[row];
      while (link && link.window !== window) link = link.next;
      if (link === undefined || link.owner === 'writeback' || link.owner === 'none') continue;
      before = folio;
      if (pages.listed[folio]! > 1) {
        limits.looks += pages.listed[folio]!;
        if (limits.tired()) return;
      }
      for (let r: Reference | undefined = pages.references[folio]; r; r = r.next) {
        if (r.t > window.open.t) continue;
        r.ioEnded = window.close;
        r.ioEndNamed = !window.iommuOnly;
        r.ioOfSectors = ofSectors;
      }
    }
  }
}

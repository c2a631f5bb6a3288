/**
 * DMA events of both generations (dma:* of 6.12 and later, probes before) and iommu:map, as windows over pages.
 *
 * The map events of 6.12 fire after the mapping, their unmap events after the unmapping; the probes of 6.1 fire at entry,
 * so there a mapping begins with its return (which has the address) and ends a little late.
 */
import {
  DmaWindow,
  type DeviceUse,
  type DmaLink,
  MAPPING_PAGES_MAX,
  OPEN_MAX,
  type Run,
  WINDOW_PAGES_MAX,
  type WindowOwner,
} from './dma.js';
import {Context, DmaDir, EventKind as K, PageName, type TraceEvent} from './event.js';
import {What} from './journal.js';
import type {Model} from './model.js';
import {Oldest} from './oldest.js';
import {PageState} from './page-table.js';
import type {Deed, Reference} from './references.js';
import {textOf} from './tasks.js';

/** Most devices told apart. */
const DEVICES_MAX = 10_000;
/** Most mappings of one page that are followed at a time; the oldest are given up. */
const LINKS_MAX = 32;
/** The same for a device that in so many maps was never seen to unmap: nothing is told of those, and they never end. */
const LINKS_NEVER_UNMAPPED = 4;
const NEVER_UNMAPPED_MAPS = 200;
/** Most calls that run at a time, by task: beyond it their returns are missing. */
const CALLS_MAX = 10_000;
/** Most tasks whose iommu:map events wait for the dma_map_* event of the same call, and events of one that do. */
const WAITING_TASKS_MAX = 1000;
const WAITING_EVENTS_MAX = 4096;
/** Most pages under all windows of iommu:map events. */
const IOMMU_PAGES_MAX = 1 << 22;

export class DmaTracker {
  /** 12 but for `--page-shift` (arm64 with 16 or 64 KiB pages) */
  pageShift = 12;
  readonly devices: DeviceUse[] = [];
  failedMaps = 0;
  private readonly deviceIndex = new Map<string, number>();
  /** dma_map_page_attrs() calls whose return has not come, by slot */
  private readonly entries = new Map<
    number,
    {device: number; dir: number; size: number; pfn: number; offset: number; deed: Deed}
  >();
  /** iommu:map events that may belong to a dma_map_* event still to come, by slot */
  private readonly recentIommu = new Map<number, Map<number, DmaWindow>>();
  private readonly iommu = new Map<number, DmaWindow>();
  private readonly oldestIommu = new Oldest<number>();
  private iommuPages = 0;
  private readonly lastList = new Map<number, {key: string; window: DmaWindow}>();

  constructor(private readonly m: Model) {
    m.windows.onForget = (window) => this.detach(window);
  }

  event(ev: TraceEvent): void {
    switch (ev.kind) {
      case K.DmaMap:
        this.map(ev);
        break;
      case K.DmaUnmap:
        this.unmap(ev);
        break;
      case K.DmaMapSg:
        this.mapList(ev);
        break;
      case K.DmaUnmapSg:
        if (ev.listLength > 0) this.close(ev, listKey(ev.listPhys[0]!, ev.dir), 0);
        break;
      case K.DmaMapEntry:
        this.mapEntry(ev);
        break;
      case K.DmaMapReturn:
        this.mapReturn(ev);
        break;
      case K.DmaMapSgEntry:
        this.mapListEntry(ev);
        break;
      case K.DmaUnmapSgEntry: {
        const pfn = this.entryPfn(ev, 0);
        if (pfn >= 0) this.close(ev, listKey(this.physOf(pfn), ev.dir), 0);
        break;
      }
      case K.DmaMapSgItem: {
        const pfn = this.m.pfnOf(ev);
        if (pfn >= 0) this.open(ev, itemKey(pfn, ev.dir), -1, ev.size, [this.run(pfn, ev.pageOffset, ev.size)], false);
        break;
      }
      case K.DmaUnmapSgItem: {
        const pfn = this.m.pfnOf(ev);
        if (pfn >= 0) this.close(ev, itemKey(pfn, ev.dir), 0);
        break;
      }
      case K.DmaMapSgReturn:
        this.mapListReturn(ev);
        break;
      case K.IommuMap:
        this.iommuMap(ev);
        break;
      case K.IommuUnmap:
        this.iommuUnmap(ev);
        break;
    }
  }

  // --- single mappings

  private map(ev: TraceEvent): void {
    if (ev.failed !== 0) {
      this.failedMaps++;
      return;
    }
    this.claimIommu(ev, ev.dmaAddr, ev.size);
    const pfn = ev.phys >= 0 ? Math.floor(ev.phys / 2 ** this.pageShift) : this.m.pfnOf(ev);
    if (pfn < 0) return;
    const offset = ev.phys >= 0 ? ev.phys % 2 ** this.pageShift : ev.pageOffset;
    this.open(ev, addressKey(ev.dmaAddr, ev.dir), ev.dmaAddr, ev.size, [this.run(pfn, offset, ev.size)], false);
  }

  private unmap(ev: TraceEvent): void {
    this.close(ev, addressKey(ev.dmaAddr, ev.dir), ev.size);
  }

  private mapEntry(ev: TraceEvent): void {
    const {m} = this;
    const pfn = m.pfnOf(ev);
    if (pfn < 0) return;
    if (!m.records(K.DmaMapReturn)) {
      const address = this.physOf(pfn) + ev.pageOffset;
      this.open(ev, addressKey(address, ev.dir), address, ev.size, [this.run(pfn, ev.pageOffset, ev.size)], false);
      return;
    }
    const deed = m.deed(ev);
    this.entries.set(this.slot(ev), {
      device: this.device(ev),
      dir: ev.dir,
      size: ev.size,
      pfn,
      offset: ev.pageOffset,
      deed,
    });
    this.boundCalls(this.entries);
  }

  private mapReturn(ev: TraceEvent): void {
    const {m} = this;
    const slot = this.slot(ev);
    const entry = this.entries.get(slot);
    if (!entry) return;
    this.entries.delete(slot);
    if (ev.failed !== 0) {
      this.failedMaps++;
      return;
    }
    this.claimIommu(ev, ev.dmaAddr, entry.size);
    // Address and device of the entry, time of the return: the mapping exists from here on.
    const deed: Deed = {...entry.deed, t: ev.t};
    if (
      ev.dmaAddr % 2 ** this.pageShift === entry.offset % 2 ** this.pageShift &&
      ev.dmaAddr === this.physOf(entry.pfn) + entry.offset
    ) {
      this.directAddresses++;
    }
    const window = new DmaWindow(
      entry.device,
      entry.dir,
      ev.dmaAddr,
      entry.size,
      this.followed([this.run(entry.pfn, entry.offset, entry.size)]),
      deed,
      false,
      false,
    );
    m.windows.add(addressKey(ev.dmaAddr, entry.dir), window);
    this.attach(ev, window);
    m.windows.cover(window.rows.length);
  }

  /** mappings whose address is the page's own: the bus addresses of this machine are physical */
  directAddresses = 0;

  // --- scatterlists

  private mapList(ev: TraceEvent): void {
    const n = ev.listLength;
    if (n === 0) return; // a program that prints no addresses
    for (let i = 0; i < ev.dmaLength; i++) this.claimIommu(ev, ev.dmaAddrs[i]!, ev.dmaLens[i]!);
    const runs: Run[] = [];
    let size = 0;
    for (let i = 0; i < ev.dmaLength; i++) size += ev.dmaLens[i]!;
    const sameShape = ev.dmaLength === n;
    for (let i = 0; i < n; i++) {
      const phys = ev.listPhys[i]!;
      // An IOMMU merges: then only the sum of the lengths is known, and a page an entry is certain.
      const length = sameShape ? ev.dmaLens[i]! : 2 ** this.pageShift - (phys % 2 ** this.pageShift);
      runs.push(this.run(Math.floor(phys / 2 ** this.pageShift), phys % 2 ** this.pageShift, length));
    }
    const unknownLengths = !sameShape && size > n * 2 ** this.pageShift;
    this.open(ev, listKey(ev.listPhys[0]!, ev.dir), -1, 0, runs, ev.truncated !== 0 || unknownLengths);
  }

  private mapListEntry(ev: TraceEvent): void {
    const runs: Run[] = [];
    for (let i = 0; i < ev.listLength; i++) {
      const pfn = this.entryPfn(ev, i);
      if (pfn < 0) break;
      runs.push(this.run(pfn, ev.listOffset[i]!, Math.max(1, ev.listLen[i]!)));
    }
    if (runs.length === 0) return;
    const key = listKey(this.physOf(runs[0]!.pfn), ev.dir);
    const window = this.open(ev, key, -1, 0, runs, runs.length < ev.nr);
    this.lastList.set(this.slot(ev), {key, window});
    this.boundCalls(this.lastList);
  }

  private mapListReturn(ev: TraceEvent): void {
    const slot = this.slot(ev);
    const last = this.lastList.get(slot);
    if (!last) return;
    this.lastList.delete(slot);
    // dma_map_sg_attrs() answers 0 and dma_map_sgtable() an errno when nothing was mapped; both answer 0 <= n otherwise,
    // so only a negative value is certain.
    if (ev.ret < 0) {
      this.failedMaps++;
      this.m.windows.take(last.key, 0, last.window.device);
      this.detach(last.window);
    }
  }

  private entryPfn(ev: TraceEvent, i: number): number {
    if (i >= ev.listLength) return -1;
    if (ev.listName === PageName.pfn) return ev.listPfn[i]!;
    return this.m.identity.pfn(ev.listPtrHi[i]!, ev.listPtrLo[i]!);
  }

  // --- IOMMU

  private iommuMap(ev: TraceEvent): void {
    if (ev.phys < 0) return;
    const pfn = Math.floor(ev.phys / 2 ** this.pageShift);
    const deed = this.m.deed(ev);
    const window = new DmaWindow(
      -1,
      DmaDir.unknown,
      ev.dmaAddr,
      ev.size,
      this.followed([this.run(pfn, 0, ev.size)]),
      deed,
      true,
      false,
    );
    // The address is free again, so the mapping that had it is gone, although its unmap was not seen.
    this.forgetIommu(ev.dmaAddr);
    this.iommu.set(ev.dmaAddr, window);
    this.attach(ev, window);
    this.iommuPages += window.rows.length;
    while (this.iommu.size > OPEN_MAX || (this.iommuPages > IOMMU_PAGES_MAX && this.iommu.size > 1)) {
      this.forgetIommu(this.oldestIommu.of(this.iommu));
      this.m.windows.forgotten++;
    }
    const slot = this.slot(ev);
    let recent = this.recentIommu.get(slot);
    if (!recent) {
      if (this.recentIommu.size >= WAITING_TASKS_MAX) this.recentIommu.clear();
      this.recentIommu.set(slot, (recent = new Map()));
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

  private forgetIommu(iova: number): void {
    const window = this.iommu.get(iova);
    if (!window) return;
    this.iommu.delete(iova);
    this.iommuPages -= window.rows.length;
    this.detach(window);
  }

  /** The iommu:map events inside a dma_map_*() call are that call's, told better by its own event. */
  private claimIommu(ev: TraceEvent, address: number, size: number): void {
    if (this.iommu.size === 0) return;
    const slot = this.slot(ev);
    const recent = this.recentIommu.get(slot);
    if (!recent) return;
    const page = 2 ** this.pageShift;
    const first = Math.floor(address / page) * page;
    const end = address + size;
    const claim = (iova: number, window: DmaWindow): void => {
      recent.delete(iova);
      if (this.iommu.get(iova) === window) this.forgetIommu(iova);
      else this.detach(window);
    };
    if ((end - first) / page > recent.size) {
      for (const [iova, window] of recent) if (iova >= first && iova < end) claim(iova, window);
    } else {
      for (let iova = first; iova < end; iova += page) {
        const window = recent.get(iova);
        if (window) claim(iova, window);
      }
    }
    if (recent.size === 0) this.recentIommu.delete(slot);
  }

  private iommuUnmap(ev: TraceEvent): void {
    const end = ev.dmaAddr + ev.size;
    const page = 2 ** this.pageShift;
    const {limits, events} = this.m;
    limits.looks += Math.min(ev.size / page, this.iommu.size);
    if (limits.tired(events)) return;
    if (ev.size / page > this.iommu.size) {
      for (const [iova, window] of this.iommu) if (iova >= ev.dmaAddr && iova < end) this.closeIommu(ev, iova, window);
      return;
    }
    for (let iova = ev.dmaAddr; iova < end; iova += page) {
      const window = this.iommu.get(iova);
      if (window) this.closeIommu(ev, iova, window);
    }
  }

  private closeIommu(ev: TraceEvent, iova: number, window: DmaWindow): void {
    this.iommu.delete(iova);
    this.iommuPages -= window.rows.length;
    this.finish(ev, window);
  }

  // --- opening and closing

  private open(ev: TraceEvent, key: string, address: number, size: number, runs: Run[], truncated: boolean): DmaWindow {
    const {m} = this;
    const followed = this.followed(runs);
    const window = new DmaWindow(this.device(ev), ev.dir, address, size, followed, m.deed(ev), false, truncated);
    m.windows.add(key, window);
    this.attach(ev, window);
    m.windows.cover(window.rows.length);
    return window;
  }

  private close(ev: TraceEvent, key: string, size: number): void {
    const window = this.m.windows.take(key, size, this.device(ev));
    if (!window) {
      this.m.windows.unmatched++;
      return;
    }
    this.finish(ev, window);
  }

  private finish(ev: TraceEvent, window: DmaWindow): void {
    const {m} = this;
    if (window.device >= 0) this.devices[window.device]!.unmaps++;
    const deed = m.deed(ev);
    window.close = deed;
    for (const tell of m.on.dmaClosed) tell(window);
    if (ev.context !== Context.task) this.doneOutsideTask(window);
    this.detach(window);
    for (const run of window.runs) {
      const row = m.pages.find(run.pfn);
      if (row >= 0 && m.pages.journals[row]) m.note(row, ev, What.dmaUnmap, NaN, journalled(window), window.open.line);
    }
  }

  private doneOutsideTask(window: DmaWindow): void {
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
      for (let r = pages.references[folio]; r; r = r.next) r.ioDoneOutsideTask = true;
    }
  }

  /** The runs as far as they are followed. */
  private followed(runs: Run[]): Run[] {
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

  private boundCalls(calls: Map<number, unknown>): void {
    if (calls.size <= CALLS_MAX) return;
    calls.clear();
    this.m.limits.hit('calls', CALLS_MAX);
  }

  private attach(ev: TraceEvent, window: DmaWindow): void {
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

  private detach(window: DmaWindow): void {
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

  // --- small things

  private run(pfn: number, offset: number, length: number): Run {
    const page = 2 ** this.pageShift;
    return {pfn, pages: Math.max(1, Math.ceil(((offset % page) + length) / page))};
  }

  private physOf(pfn: number): number {
    return pfn * 2 ** this.pageShift;
  }

  private slot(ev: TraceEvent): number {
    // A task keeps its call when it moves to another CPU; the idle tasks share pid 0, and an interrupt is not the task.
    return ev.pid > 0 && ev.context <= 0 ? ev.pid : -1 - this.m.calls.slot(ev.cpu, ev.context);
  }

  private device(ev: TraceEvent): number {
    if (ev.deviceEnd === ev.deviceStart) return -1;
    const name = textOf(ev.buf, ev.deviceStart, ev.deviceEnd, 64);
    const known = this.deviceIndex.get(name);
    if (known !== undefined) return known;
    if (this.devices.length >= DEVICES_MAX) {
      this.m.limits.hit('devices');
      return -1;
    }
    this.devices.push({name, maps: 0, unmaps: 0});
    this.deviceIndex.set(name, this.devices.length - 1);
    return this.devices.length - 1;
  }
}

/** Windows of one address are told apart by direction: without an IOMMU all mappings of a page have its own address. */
function addressKey(address: number, dir: number): string {
  return `a${address}.${dir}`;
}

/** A scatterlist, by the physical address of its first entry. */
function listKey(phys: number, dir: number): string {
  return `l${phys}.${dir}`;
}

function itemKey(pfn: number, dir: number): string {
  return `i${pfn}.${dir}`;
}

/** Device and direction as a journal entry holds them. */
function journalled(window: DmaWindow): number {
  return (window.device + 1) * 8 + window.dir + 1;
}

/**
 * DMA events of both generations (dma:* of 6.12 and later, probes before) and iommu:map, as windows over pages.
 *
 * The map events of 6.12 fire after the mapping, their unmap events after the unmapping; the probes of 6.1 fire at entry,
 * so there a mapping begins with its return (which has the address) and ends a little late.
 */
import {slotOf} from './calls.js';
import {type DeviceUse, DmaWindow, type Run} from '../tables/dma.js';
import {IommuWindows} from './dma-iommu.js';
import {DmaPages} from './dma-pages.js';
import {EventKind as K, PageName, type TraceEvent} from '../../events/event.js';
import type {Model} from '../model.js';
import type {Deed} from '../tables/references.js';
import {textOf} from '../tables/tasks.js';

/** Most devices told apart. */
const DEVICES_MAX = 10_000;
/** Most calls that run at a time, by task: beyond it their returns are missing. */
const CALLS_MAX = 10_000;

export class DmaTracker {
  readonly devices: DeviceUse[] = [];
  readonly under: DmaPages;
  failedMaps = 0;
  private readonly deviceIndex = new Map<string, number>();
  /** dma_map_page_attrs() calls whose return has not come, by slot */
  private readonly entries = new Map<
    number,
    {device: number; dir: number; size: number; pfn: number; offset: number; deed: Deed}
  >();
  private readonly iommu: IommuWindows;
  private readonly lastList = new Map<number, {key: string; window: DmaWindow}>();

  /**
   * Whether a window that is open still would have been seen to end: on a device that unmaps, in a recording that shows
   * its unmaps. Drivers skip the unmap where dma_need_unmap() is false (kernel/dma/mapping.c).
   */
  endsToBeExpected(window: DmaWindow): boolean {
    const {m} = this;
    if (m.facts.has('pid_filter')) return false; // unmaps come in interrupts, on whatever task is running
    if (window.iommuOnly) return m.records(K.IommuUnmap);
    const device = this.devices[window.device];
    return device !== undefined && device.unmaps > 0;
  }

  constructor(private readonly m: Model) {
    this.under = new DmaPages(m, this.devices);
    this.iommu = new IommuWindows(m, this.under);
    m.windows.onForget = (window) => this.under.detach(window);
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
        if (pfn >= 0)
          this.open(ev, itemKey(pfn, ev.dir), -1, ev.size, [this.under.run(pfn, ev.pageOffset, ev.size)], false);
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
        this.iommu.map(ev);
        break;
      case K.IommuUnmap:
        this.iommu.unmap(ev);
        break;
    }
  }

  // --- single mappings

  private map(ev: TraceEvent): void {
    if (ev.failed !== 0) {
      this.failedMaps++;
      return;
    }
    this.iommu.claim(ev, ev.dmaAddr, ev.size);
    const pfn = ev.phys >= 0 ? Math.floor(ev.phys / 2 ** this.under.pageShift) : this.m.pfnOf(ev);
    if (pfn < 0) return;
    const offset = ev.phys >= 0 ? ev.phys % 2 ** this.under.pageShift : ev.pageOffset;
    this.open(ev, addressKey(ev.dmaAddr, ev.dir), ev.dmaAddr, ev.size, [this.under.run(pfn, offset, ev.size)], false);
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
      this.open(
        ev,
        addressKey(address, ev.dir),
        address,
        ev.size,
        [this.under.run(pfn, ev.pageOffset, ev.size)],
        false,
      );
      return;
    }
    const deed = m.deed(ev);
    this.entries.set(slotOf(this.m, ev), {
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
    const slot = slotOf(this.m, ev);
    const entry = this.entries.get(slot);
    if (!entry) return;
    this.entries.delete(slot);
    if (ev.failed !== 0) {
      this.failedMaps++;
      return;
    }
    this.iommu.claim(ev, ev.dmaAddr, entry.size);
    // Address and device of the entry, time of the return: the mapping exists from here on.
    const deed: Deed = {...entry.deed, t: ev.t};
    if (
      ev.dmaAddr % 2 ** this.under.pageShift === entry.offset % 2 ** this.under.pageShift &&
      ev.dmaAddr === this.physOf(entry.pfn) + entry.offset
    ) {
      this.directAddresses++;
    }
    const window = new DmaWindow(
      entry.device,
      entry.dir,
      ev.dmaAddr,
      entry.size,
      this.under.followed([this.under.run(entry.pfn, entry.offset, entry.size)]),
      deed,
      false,
      false,
    );
    m.windows.add(addressKey(ev.dmaAddr, entry.dir), window);
    this.under.attach(ev, window);
    m.windows.cover(window.rows.length);
  }

  /** mappings whose address is the page's own: the bus addresses of this machine are physical */
  directAddresses = 0;

  // --- scatterlists

  private mapList(ev: TraceEvent): void {
    const n = ev.listLength;
    if (n === 0) return; // a program that prints no addresses
    for (let i = 0; i < ev.dmaLength; i++) this.iommu.claim(ev, ev.dmaAddrs[i]!, ev.dmaLens[i]!);
    const runs: Run[] = [];
    let size = 0;
    for (let i = 0; i < ev.dmaLength; i++) size += ev.dmaLens[i]!;
    const sameShape = ev.dmaLength === n;
    for (let i = 0; i < n; i++) {
      const phys = ev.listPhys[i]!;
      // An IOMMU merges: then only the sum of the lengths is known, and a page an entry is certain.
      const length = sameShape ? ev.dmaLens[i]! : 2 ** this.under.pageShift - (phys % 2 ** this.under.pageShift);
      runs.push(this.under.run(Math.floor(phys / 2 ** this.under.pageShift), phys % 2 ** this.under.pageShift, length));
    }
    const unknownLengths = !sameShape && size > n * 2 ** this.under.pageShift;
    this.open(ev, listKey(ev.listPhys[0]!, ev.dir), -1, 0, runs, ev.truncated !== 0 || unknownLengths);
  }

  private mapListEntry(ev: TraceEvent): void {
    const runs: Run[] = [];
    for (let i = 0; i < ev.listLength; i++) {
      const pfn = this.entryPfn(ev, i);
      if (pfn < 0) break;
      runs.push(this.under.run(pfn, ev.listOffset[i]!, Math.max(1, ev.listLen[i]!)));
    }
    if (runs.length === 0) return;
    const key = listKey(this.physOf(runs[0]!.pfn), ev.dir);
    const window = this.open(ev, key, -1, 0, runs, runs.length < ev.nr);
    this.lastList.set(slotOf(this.m, ev), {key, window});
    this.boundCalls(this.lastList);
  }

  private mapListReturn(ev: TraceEvent): void {
    const slot = slotOf(this.m, ev);
    const last = this.lastList.get(slot);
    if (!last) return;
    this.lastList.delete(slot);
    // dma_map_sg_attrs() answers 0 and dma_map_sgtable() an errno when nothing was mapped; both answer 0 <= n otherwise,
    // so only a negative value is certain.
    if (ev.ret < 0) {
      this.failedMaps++;
      this.m.windows.take(last.key, 0, last.window.device);
      this.under.detach(last.window);
    }
  }

  private entryPfn(ev: TraceEvent, i: number): number {
    if (i >= ev.listLength) return -1;
    if (ev.listName === PageName.pfn) return ev.listPfn[i]!;
    return this.m.identity.pfn(ev.listPtrHi[i]!, ev.listPtrLo[i]!);
  }

  // --- opening and closing

  private open(ev: TraceEvent, key: string, address: number, size: number, runs: Run[], truncated: boolean): DmaWindow {
    const {m} = this;
    const followed = this.under.followed(runs);
    const window = new DmaWindow(this.device(ev), ev.dir, address, size, followed, m.deed(ev), false, truncated);
    m.windows.add(key, window);
    this.under.attach(ev, window);
    m.windows.cover(window.rows.length);
    return window;
  }

  private close(ev: TraceEvent, key: string, size: number): void {
    const window = this.m.windows.take(key, size, this.device(ev));
    if (!window) {
      this.m.windows.unmatched++;
      return;
    }
    this.under.close(ev, window);
  }

  private boundCalls(calls: Map<number, unknown>): void {
    if (calls.size <= CALLS_MAX) return;
    calls.clear();
    this.m.limits.hit('calls', CALLS_MAX);
  }

  // --- small things

  private physOf(pfn: number): number {
    return pfn * 2 ** this.under.pageShift;
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

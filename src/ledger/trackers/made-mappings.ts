/**
 * What the events of making a mapping say, in each of their forms: its pages, its address, and whether the device touches the
 * pages themselves.
 *
 * The map events of 6.12 fire after the mapping; the probes of 6.1 fire at entry, so there a mapping begins with its return, which
 * has the address.
 */
import {type Gap, Gaps} from '../../capture/gaps.js';
import {EventKind as K, type TraceEvent} from '../../events/event.js';
import type {Devices} from '../tables/devices.js';
import {DmaWindow, type Run} from '../tables/dma.js';
import {addressKey, itemKey, listKey} from '../tables/open-windows.js';
import type {Deed} from '../tables/references.js';
import type {Uses} from './around.js';
import {Bounces} from './bounces.js';
import {slotOf} from './calls.js';
import type {CoveredPages} from './covered-pages.js';
import {CutLists} from './cut-lists.js';
import type {IommuWindows} from './iommu.js';

/** Most calls that run at a time, by task: beyond it their returns are missing. */
const CALLS_MAX = 10_000;

/** What is done with a mapping. */
export interface Made {
  /** It is there; `key` finds it when it is unmapped. */
  opened(ev: TraceEvent, key: number, window: DmaWindow): void;
  /** It failed after all. */
  withdrawn(window: DmaWindow): void;
}

export class MadeMappings {
  readonly cutLists = new CutLists();
  /** mappings of pages that the trace does not tell: any page's */
  private readonly unplaced = new Gaps();
  /** dma_map_page_attrs() calls whose return has not come, by slot */
  private readonly entries = new Map<
    number,
    {device: number; dir: number; size: number; pfn: number; offset: number; deed: Deed}
  >();
  private readonly bounces = new Bounces();
  private readonly lastList = new Map<number, DmaWindow>();

  constructor(
    private readonly around: Uses<'capture' | 'evidence' | 'calls'>,
    private readonly names: Devices,
    private readonly under: CoveredPages,
    private readonly iommu: IommuWindows,
    private readonly made: Made,
  ) {}

  event(ev: TraceEvent): void {
    switch (ev.kind) {
      case K.DmaMap:
        this.map(ev);
        break;
      case K.DmaMapEntry:
        this.mapEntry(ev);
        break;
      case K.DmaMapReturn:
        this.mapReturn(ev);
        break;
      case K.DmaMapSg:
        this.mapList(ev);
        break;
      case K.DmaMapSgEntry:
        this.mapListEntry(ev);
        break;
      case K.DmaMapSgReturn:
        this.mapListReturn(ev);
        break;
      case K.DmaMapSgItem:
        this.mapItem(ev);
        break;
      case K.Bounced:
        this.bounces.told(slotOf(this.around, ev), this.names.of(ev), ev.dmaAddr);
        break;
    }
  }

  /** A mapping made within [from, to] whose pages the trace does not tell: they may be any. */
  unplacedWithin(from: number, to: number): Gap | undefined {
    return this.unplaced.within(from, to);
  }

  private notPlaced({t, line}: TraceEvent): void {
    this.unplaced.add(t, t, `line ${line} maps pages that it does not name: this one may be among them`, -1, line);
  }

  // --- single mappings

  private map(ev: TraceEvent): void {
    if (ev.failed !== 0) return;
    const translated = this.iommu.claim(ev, ev.dmaAddr, ev.size);
    const pfn = ev.phys >= 0 ? Math.floor(ev.phys / (1 << this.under.pageShift)) : this.around.capture.pfnOf(ev);
    if (pfn < 0) {
      this.notPlaced(ev);
      return;
    }
    const offset = ev.phys >= 0 ? ev.phys % (1 << this.under.pageShift) : ev.pageOffset;
    const window = this.window(ev, ev.dmaAddr, ev.size, [this.under.run(pfn, offset, ev.size)]);
    if (ev.phys >= 0) {
      this.through(ev, window, ev.dmaAddr === ev.phys, ev.dmaAddr - ev.phys, translated);
      this.translates(window, ev.dmaAddr === ev.phys);
    }
    this.made.opened(ev, addressKey(ev.dmaAddr), window);
  }

  private mapEntry(ev: TraceEvent): void {
    const {around} = this;
    const pfn = around.capture.pfnOf(ev);
    if (pfn < 0) {
      this.notPlaced(ev);
      return;
    }
    if (!around.capture.records(K.DmaMapReturn)) {
      const address = this.under.physOf(pfn) + ev.pageOffset;
      const runs = [this.under.run(pfn, ev.pageOffset, ev.size)];
      this.made.opened(ev, addressKey(address), this.window(ev, address, ev.size, runs));
      return;
    }
    this.entries.set(slotOf(around, ev), {
      device: this.names.of(ev),
      dir: ev.dir,
      size: ev.size,
      pfn,
      offset: ev.pageOffset,
      deed: around.evidence.deed(ev),
    });
    this.boundCalls(this.entries);
  }

  private mapReturn(ev: TraceEvent): void {
    const slot = slotOf(this.around, ev);
    const entry = this.entries.get(slot);
    if (!entry) return;
    this.entries.delete(slot);
    if (ev.failed !== 0) return;
    const translated = this.iommu.claim(ev, ev.dmaAddr, entry.size);
    // Address and device of the entry, time of the return: the mapping exists from here on.
    const deed: Deed = {...entry.deed, t: ev.t};
    const own = this.under.physOf(entry.pfn) + entry.offset;
    const direct = ev.dmaAddr === own;
    const runs = this.under.followed([this.under.run(entry.pfn, entry.offset, entry.size)]);
    const window = new DmaWindow(entry.device, entry.dir, ev.dmaAddr, entry.size, runs, deed, false);
    this.through(ev, window, direct, ev.dmaAddr - own, translated);
    this.translates(window, direct);
    this.made.opened(ev, addressKey(ev.dmaAddr), window);
  }

  /** Whether the device touches the pages themselves. */
  private through(ev: TraceEvent, window: DmaWindow, direct: boolean, apart: number, translated: boolean): void {
    const {capture} = this.around;
    const at = {
      direct,
      apart,
      translated,
      told: capture.records(K.Bounced) || capture.coverage.announced.has('swiotlb_bounced'),
      iommu: capture.facts.get('iommu'),
    };
    const {device, runs} = window;
    const way = this.bounces.mapped(slotOf(this.around, ev), device, at, runs, 1 << this.under.pageShift);
    window.bounced = way === 'buffer';
    window.mayBeBounced = way === 'unknown';
  }

  private translates(window: DmaWindow, direct: boolean): void {
    const device = this.names.list[window.device];
    if (device && !direct) device.translated = true;
  }

  // --- scatterlists

  private mapList(ev: TraceEvent): void {
    const n = ev.listLength;
    if (n === 0) {
      // a program that prints no addresses, or an entry a line
      if (!this.around.capture.records(K.DmaMapSgItem)) this.notPlaced(ev);
      return;
    }
    let translated = false;
    for (let i = 0; i < ev.dmaLength; i++) if (this.iommu.claim(ev, ev.dmaAddrs[i]!, ev.dmaLens[i]!)) translated = true;
    const runs: Run[] = [];
    const page = 1 << this.under.pageShift;
    let size = 0;
    for (let i = 0; i < ev.dmaLength; i++) size += ev.dmaLens[i]!;
    const sameShape = ev.dmaLength === n;
    let direct = sameShape;
    for (let i = 0; i < n; i++) {
      const phys = ev.listPhys[i]!;
      // An IOMMU merges: then only the sum of the lengths is known, and a page an entry is certain.
      const length = sameShape ? ev.dmaLens[i]! : page - (phys % page);
      if (ev.dmaAddrs[i] !== phys) direct = false;
      runs.push(this.under.run(Math.floor(phys / page), phys % page, length));
    }
    const window = this.window(ev, -1, size, runs);
    window.cut = ev.truncated !== 0 ? Math.max(1, ev.nr - n) : !sameShape && size > n * page ? 1 : 0;
    if (!direct) window.spans = spansOf(ev);
    const apart = ev.dmaLength > 0 ? ev.dmaAddrs[0]! - ev.listPhys[0]! : NaN;
    this.through(ev, window, direct, apart, translated);
    this.made.opened(ev, listKey(ev.listPhys[0]!), window);
  }

  private mapListEntry(ev: TraceEvent): void {
    const runs: Run[] = [];
    let size = 0;
    for (let i = 0; i < ev.listLength; i++) {
      const pfn = this.around.capture.listedPfn(ev, i);
      if (pfn < 0) break;
      runs.push(this.under.run(pfn, ev.listOffset[i]!, Math.max(1, ev.listLen[i]!)));
      size += Math.max(0, ev.listLen[i]!);
    }
    if (runs.length === 0) {
      this.notPlaced(ev);
      return;
    }
    const window = this.window(ev, -1, size, runs);
    window.cut = Math.max(0, ev.nr - runs.length);
    this.made.opened(ev, listKey(this.under.physOf(runs[0]!.pfn)), window);
    this.lastList.set(slotOf(this.around, ev), window);
    this.boundCalls(this.lastList);
  }

  private mapListReturn(ev: TraceEvent): void {
    const slot = slotOf(this.around, ev);
    const window = this.lastList.get(slot);
    if (!window) return;
    this.lastList.delete(slot);
    // dma_map_sg_attrs() answers 0 and dma_map_sgtable() an errno when nothing was mapped; both answer 0 <= n otherwise,
    // so only a negative value is certain.
    if (ev.ret < 0) {
      this.made.withdrawn(window);
    } else if (this.bounces.toldOf(slot, window.device, window.runs, 1 << this.under.pageShift)) window.bounced = true;
  }

  /** An entry of a list that is printed an entry a line, up to some: `i=0/9`. */
  private mapItem(ev: TraceEvent): void {
    const pfn = this.around.capture.pfnOf(ev);
    if (pfn < 0) {
      this.notPlaced(ev);
      return;
    }
    const window = this.window(ev, -1, ev.size, [this.under.run(pfn, ev.pageOffset, ev.size)]);
    this.cutLists.item(slotOf(this.around, ev), ev.itemIndex, ev.nr, window);
    this.made.opened(ev, itemKey(pfn), window);
  }

  private window(ev: TraceEvent, address: number, size: number, runs: Run[]): DmaWindow {
    return new DmaWindow(
      this.names.of(ev),
      ev.dir,
      address,
      size,
      this.under.followed(runs),
      this.around.evidence.deed(ev),
      false,
    );
  }

  private boundCalls(calls: Map<number, unknown>): void {
    if (calls.size <= CALLS_MAX) return;
    calls.clear();
    this.around.capture.limits.hit('calls', CALLS_MAX);
  }
}

function spansOf(ev: TraceEvent): {address: number; size: number}[] {
  const spans = [];
  for (let i = 0; i < ev.dmaLength; i++) spans.push({address: ev.dmaAddrs[i]!, size: Math.max(1, ev.dmaLens[i]!)});
  return spans;
}

/**
 * DMA events of both generations (dma:* of 6.12 and later, probes before), iommu:map and block requests, as
 * windows over pages.
 *
 * The map events of 6.12 fire after the mapping, their unmap events after the unmapping; the probes of 6.1 fire at entry,
 * so there a mapping begins with its return (which has the address) and ends a little late.
 */
import {slotOf} from './calls.js';
import {type Gap, Gaps} from '../../capture/gaps.js';
import {Devices} from '../tables/devices.js';
import {type DeviceHabit, type DmaDevice, DmaWindow, type Run} from '../tables/dma.js';
import {addressKey, itemKey, listKey, OpenWindows} from '../tables/open-windows.js';
import {Bounces} from './bounces.js';
import {Commands} from './commands.js';
import {CutLists} from './cut-lists.js';
import {EndedMappings} from './ended-mappings.js';
import type {Fault, Found} from '../tables/faults.js';
import {IommuWindows} from './iommu.js';
import {CoveredPages} from './covered-pages.js';
import {Requests} from './requests.js';
import {EventKind as K, type TraceEvent} from '../../events/event.js';
import type {Uses} from './around.js';
import type {Deed} from '../tables/references.js';
import {textOf} from '../tables/tasks.js';

/** Most calls that run at a time, by task: beyond it their returns are missing. */
const CALLS_MAX = 10_000;
/** Most spans kept in which requests were put back into their queue. */
const REQUEUES_MAX = 1000;
/** Most mappings of one device kept that were made again before they were unmapped: more say no more of it. */
const AGAIN_MAX = 100;

export class Mappings {
  private readonly names: Devices;
  readonly devices: readonly DmaDevice[];
  readonly under: CoveredPages;
  readonly windows: OpenWindows;
  readonly cutLists = new CutLists();
  /** mappings of pages that the trace does not tell: any page's */
  private readonly unplaced = new Gaps();
  readonly past: EndedMappings;
  failedMaps = 0;
  /** dma_map_page_attrs() calls whose return has not come, by slot */
  private readonly entries = new Map<
    number,
    {device: number; dir: number; size: number; pfn: number; offset: number; deed: Deed}
  >();
  private readonly iommu: IommuWindows;
  private readonly requests: Requests;
  /** made with the first command */
  private commands: Commands | undefined;
  private readonly bounces = new Bounces();
  private readonly lastList = new Map<number, DmaWindow>();
  /** by device: mappings over which another was made although nobody was left who could have wanted both */
  private readonly again = new Map<number, {window: DmaWindow; t: number; line: number}[]>();
  /** in order; the last one widens when there are too many */
  private readonly requeues: {from: number; to: number; input: number; line: number}[] = [];
  /** the event at hand */
  private ev!: TraceEvent;

  /** of users of the IOMMU API (VFIO, iommufd): iommu:map events outside of dma_map_*() calls */
  get iommuMappings(): number {
    return this.iommu.mapped;
  }

  constructor(private readonly around: Uses<'capture' | 'pages' | 'evidence' | 'book' | 'calls' | 'on'>) {
    this.names = new Devices(around.capture.limits);
    this.devices = this.names.list;
    this.under = new CoveredPages(around, this.devices);
    this.past = new EndedMappings(around);
    around.on.dmaClosed.push((window) => this.past.add(window));
    around.on.dmaAbandoned.push((window) => this.past.add(window));
    this.windows = new OpenWindows({
      ended: (window) => {
        const device = this.devices[window.device];
        if (device && window.endedBy === 'completion') device.completions++;
        else if (device) device.unmaps++;
        this.under.ended(this.ev, window);
      },
      superseded: (window) => {
        const device = this.devices[window.device];
        if (device) device.superseded++;
        const before = this.again.get(window.device) ?? [];
        if (before.length >= AGAIN_MAX || !this.isOne(window)) return;
        before.push({window, t: this.ev.t, line: this.ev.line});
        this.again.set(window.device, before);
      },
      abandoned: (window) => {
        this.under.detach(window);
        for (const tell of around.on.dmaAbandoned) tell(window);
      },
    });
    this.iommu = new IommuWindows(around, this.under, {
      opened: (ev, window) => this.mayBeOfRequest(ev, window),
      ended: () => {},
    });
    this.requests = new Requests({
      done: this.completed,
      madeAgain: (window) => this.under.detach(window),
    });
  }

  /**
   * Whether a mapping can be there once only, now that nobody holds its page any more: behind an IOMMU or bounce buffers an
   * address is handed out once, and a mapping for a pin or get is not made again by who comes later.
   */
  private isOne(window: DmaWindow): boolean {
    const [run] = window.runs;
    if (window.address >= 0 && run && Math.floor(window.address / (1 << this.under.pageShift)) !== run.pfn) return true;
    return this.under.isHeld(window);
  }

  /** Call after the last event: the law of mappings made again, of devices that do unmap. */
  end(): void {
    for (const {window, t, line} of [...this.again.values()].flat()) {
      const [run] = window.runs;
      if (window.endedBy === 'unmap' || run === undefined || !this.endsToBeExpected(window)) continue;
      this.around.capture.audit.breach({
        law: 'unmapped-before-mapped-again',
        what: 'unmapped',
        from: window.open.t,
        to: t,
        pfn: run.pfn,
        line,
        why: `line ${line} maps what line ${window.open.line} mapped, and no unmap is between them`,
      });
    }
  }

  private readonly completed = (window: DmaWindow, deed: Deed, slot: number, since: number): void => {
    // an IOMMU's own mappings are unmapped always
    if (!window.iommuOnly) this.windows.completed(window, deed, slot, since);
  };

  event(ev: TraceEvent): void {
    this.ev = ev;
    switch (ev.kind) {
      case K.DmaMap:
        this.map(ev);
        break;
      case K.DmaUnmap:
        this.close(ev, addressKey(ev.dmaAddr), ev.size, undefined);
        break;
      case K.DmaMapSg:
        this.mapList(ev);
        break;
      case K.DmaUnmapSg:
        if (ev.listLength > 0) {
          const page = 1 << this.under.pageShift;
          this.closeList(ev, (i) => Math.floor(ev.listPhys[i]! / page), ev.listPhys[0]!);
        }
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
        if (pfn >= 0) this.closeList(ev, (i) => this.entryPfn(ev, i), this.physOf(pfn), listedBytes(ev));
        break;
      }
      case K.DmaMapSgItem:
        this.mapItem(ev);
        break;
      case K.DmaUnmapSgItem: {
        const pfn = this.around.capture.pfnOf(ev);
        if (pfn >= 0) this.close(ev, itemKey(pfn), 0, undefined);
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
      case K.BlockIssue:
        this.requests.issue(ev, slotOf(this.around, ev), () => this.around.evidence.deed(ev));
        break;
      case K.BlockComplete:
        this.requests.complete(ev, this.slot(ev), () => this.around.evidence.deed(ev));
        break;
      case K.BlockRequeue:
        this.requests.giveBack(ev, () => this.around.evidence.deed(ev));
        this.requeued(ev);
        break;
      case K.NvmeStart:
      case K.ScsiStart:
        this.commands ??= new Commands(this.completed);
        this.commands.start(ev, slotOf(this.around, ev), () => this.around.evidence.deed(ev));
        break;
      case K.NvmeDone:
      case K.ScsiDone:
        this.commands?.complete(ev, this.slot(ev), () => this.around.evidence.deed(ev));
        break;
      case K.Bounced:
        this.bounces.told(slotOf(this.around, ev), this.names.of(ev), ev.dmaAddr);
        break;
      case K.IommuFault:
        this.fault(ev);
        break;
    }
  }

  /**
   * Whether a window that is open still would have been seen to end: on a device that does not leave mappings open, in a
   * recording that shows its unmaps. Drivers skip the unmap where dma_need_unmap() is false (kernel/dma/mapping.c).
   */
  endsToBeExpected(window: DmaWindow): boolean {
    const {around} = this;
    if (around.capture.isPartial) return false; // unmaps come in interrupts, on whatever task is running
    if (window.iommuOnly) return around.capture.records(K.IommuUnmap);
    const device = this.devices[window.device];
    return device !== undefined && device.unmaps > 0 && !device.leavesOpen;
  }

  /**
   * Whether the unmap that ended a window may be of another: a device that leaves most mappings open may have mapped the
   * address again since, by a line that is missing. The completion of the window's own request says that it was its own.
   */
  mayBeUnmapOfAnother({endedBy, iommuOnly, device, request, close}: DmaWindow): boolean {
    if (endedBy !== 'unmap' || iommuOnly || this.devices[device]?.leavesOpen !== true) return false;
    return request?.completed === undefined || request.completed.t < close!.t;
  }

  /** Whether hardware made the mapping that is known to do so; undefined of a device that is not told apart, where its kind does not. */
  does(window: DmaWindow, what: DeviceHabit): boolean | undefined {
    const device = this.devices[window.device] ?? (what === 'followsTables' ? this.under.unnamed : undefined);
    return device?.[what];
  }

  /** A request that may have been put back into its queue within [from, to]: what it had mapped is over then, and its I/O is not. */
  requeuedWithin(from: number, to: number): {input: number; line: number} | undefined {
    return this.requeues.find((requeue) => requeue.to >= from && requeue.from <= to);
  }

  private requeued({t, input, line}: TraceEvent): void {
    const {requeues} = this;
    if (requeues.length < REQUEUES_MAX) requeues.push({from: t, to: t, input, line});
    else requeues.at(-1)!.to = t;
  }

  /** What the address of a fault is now, or was. */
  mappingAt(fault: Fault): Found {
    // a log may tell of the fault before the device is heard of
    fault.device = this.names.called(fault.deviceName);
    return this.past.find(fault, [this.windows.live(), this.iommu.live()]);
  }

  private fault(ev: TraceEvent): void {
    const {on} = this.around;
    if (on.faulted.length === 0) return;
    const deviceName = textOf(ev.buf, ev.deviceStart, ev.deviceEnd, 64);
    const fault: Fault = {
      deed: this.around.evidence.deed(ev),
      address: ev.dmaAddr,
      device: -1,
      deviceName,
      access: ev.access,
      untimed: ev.untimed !== 0,
    };
    for (const tell of on.faulted) tell(fault);
  }

  /** A mapping made within [from, to] whose pages the trace does not tell: they may be any. */
  unplacedWithin(from: number, to: number): Gap | undefined {
    return this.unplaced.within(from, to);
  }

  private notPlaced({t, line}: TraceEvent): void {
    this.unplaced.add(t, t, `line ${line} maps pages that it does not name: this one may be among them`, -1, line);
  }

  /** Mappings given up because too many were open. */
  get forgotten(): number {
    return this.windows.forgotten + this.iommu.forgotten;
  }

  // --- single mappings

  private map(ev: TraceEvent): void {
    if (ev.failed !== 0) {
      this.failedMaps++;
      return;
    }
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
    this.open(ev, addressKey(ev.dmaAddr), window);
  }

  private mapEntry(ev: TraceEvent): void {
    const {around} = this;
    const pfn = around.capture.pfnOf(ev);
    if (pfn < 0) {
      this.notPlaced(ev);
      return;
    }
    if (!around.capture.records(K.DmaMapReturn)) {
      const address = this.physOf(pfn) + ev.pageOffset;
      const runs = [this.under.run(pfn, ev.pageOffset, ev.size)];
      this.open(ev, addressKey(address), this.window(ev, address, ev.size, runs));
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
    if (ev.failed !== 0) {
      this.failedMaps++;
      return;
    }
    const translated = this.iommu.claim(ev, ev.dmaAddr, entry.size);
    // Address and device of the entry, time of the return: the mapping exists from here on.
    const deed: Deed = {...entry.deed, t: ev.t};
    const own = this.physOf(entry.pfn) + entry.offset;
    const direct = ev.dmaAddr === own;
    const runs = this.under.followed([this.under.run(entry.pfn, entry.offset, entry.size)]);
    const window = new DmaWindow(entry.device, entry.dir, ev.dmaAddr, entry.size, runs, deed, false);
    this.through(ev, window, direct, ev.dmaAddr - own, translated);
    this.translates(window, direct);
    this.open(ev, addressKey(ev.dmaAddr), window);
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
    const device = this.devices[window.device];
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
    this.open(ev, listKey(ev.listPhys[0]!), window);
  }

  private mapListEntry(ev: TraceEvent): void {
    const runs: Run[] = [];
    let size = 0;
    for (let i = 0; i < ev.listLength; i++) {
      const pfn = this.entryPfn(ev, i);
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
    this.open(ev, listKey(this.physOf(runs[0]!.pfn)), window);
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
      this.failedMaps++;
      this.windows.withdraw(window);
      this.under.unwrite(window, true);
      this.under.detach(window);
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
    this.open(ev, itemKey(pfn), window);
  }

  private entryPfn(ev: TraceEvent, i: number): number {
    if (i >= ev.listLength) return -1;
    return this.around.capture.listedPfn(ev, i);
  }

  // --- opening and closing

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

  private open(ev: TraceEvent, key: number, window: DmaWindow): void {
    const device = this.devices[window.device];
    if (device) device.maps++;
    this.windows.add(key, window, this.under.owners.stillHeld);
    this.under.attach(ev, window);
    this.windows.cover(window.rows.length);
    if (window.cut > 0) this.cutLists.add(window);
    this.mayBeOfRequest(ev, window);
  }

  private mayBeOfRequest(ev: TraceEvent, window: DmaWindow): void {
    if (this.around.capture.records(K.BlockIssue)) this.requests.mapped(slotOf(this.around, ev), window);
    this.commands?.mapped(slotOf(this.around, ev), window);
  }

  private close(ev: TraceEvent, key: number, size: number, same: ((window: DmaWindow) => boolean) | undefined): void {
    const device = this.names.of(ev);
    if (this.windows.unmapped(key, device, ev.dir, size, same, this.around.evidence.deed(ev), this.slot(ev))) return;
    this.windows.unmatched++;
    const of = this.devices[device];
    if (of !== undefined) this.mapMissing(ev, of);
  }

  /** An unmap of what was never mapped: its map is older than the trace, or it is missing. */
  private mapMissing(ev: TraceEvent, device: DmaDevice): void {
    const {under} = this;
    const law = device.mapMissing();
    // of a list that is printed an entry a line, up to some, the map may have been cut elsewhere than the unmap
    if (device.completions > 0 || (!law && ev.kind === K.DmaUnmapSgItem)) return;
    const page = 1 << under.pageShift;
    if (ev.kind === K.DmaUnmap) {
      // Behind an IOMMU an address says nothing of the page.
      if (!device.translated && (device.maps > 0 || this.around.capture.records(K.DmaMap)))
        under.mapMissing(ev, law, [under.run(Math.floor(ev.dmaAddr / page), ev.dmaAddr % page, ev.size)]);
    } else if (ev.kind === K.DmaUnmapSg) {
      const runs: Run[] = [];
      for (let i = 0; i < ev.listLength; i++) runs.push({pfn: Math.floor(ev.listPhys[i]! / page), pages: 1});
      under.mapMissing(ev, law, runs);
    } else if (ev.kind === K.DmaUnmapSgItem)
      under.mapMissing(ev, law, [{pfn: this.around.capture.pfnOf(ev), pages: 1}]);
    else {
      const runs: Run[] = [];
      for (let i = 0; i < ev.listLength; i++) runs.push({pfn: this.entryPfn(ev, i), pages: 1});
      under.mapMissing(ev, law, runs);
    }
  }

  /**
   * The unmap of a whole list: of the windows that begin with its first page those that have the same pages, as far as both
   * print them. `bytes`: of the entries that are printed; 0 not known.
   */
  private closeList(ev: TraceEvent, pfnAt: (i: number) => number, first: number, bytes = 0): void {
    const printed = ev.listLength;
    const total = Math.max(ev.nr, printed);
    const pfns: number[] = [];
    for (let i = 0; i < printed; i++) pfns.push(pfnAt(i));
    this.close(ev, listKey(first), 0, ({runs, cut, size}) => {
      if (bytes > 0 && total === printed && cut === 0 && size !== bytes) return false;
      const whole = total === printed ? printed : total;
      if (cut === 0 ? runs.length !== whole && printed < UNMAP_LIST_MAX : runs.length + cut < whole) return false;
      for (let i = 0; i < runs.length && i < printed; i++) if (pfns[i]! >= 0 && runs[i]!.pfn !== pfns[i]) return false;
      return true;
    });
  }

  private boundCalls(calls: Map<number, unknown>): void {
    if (calls.size <= CALLS_MAX) return;
    calls.clear();
    this.around.capture.limits.hit('calls', CALLS_MAX);
  }

  // --- small things

  private slot(ev: TraceEvent): number {
    return this.around.calls.slot(ev.cpu, ev.context);
  }

  private physOf(pfn: number): number {
    return pfn * (1 << this.under.pageShift);
  }
}

function spansOf(ev: TraceEvent): {address: number; size: number}[] {
  const spans = [];
  for (let i = 0; i < ev.dmaLength; i++) spans.push({address: ev.dmaAddrs[i]!, size: Math.max(1, ev.dmaLens[i]!)});
  return spans;
}

/** dma_unmap_sg prints so many entries at most (include/trace/events/dma.h). */
const UNMAP_LIST_MAX = 128;

/** The bytes of the entries of a list that a probe prints. */
function listedBytes(ev: TraceEvent): number {
  let bytes = 0;
  for (let i = 0; i < ev.listLength; i++) bytes += Math.max(0, ev.listLen[i]!);
  return bytes;
}

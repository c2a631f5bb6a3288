/**
 * DMA events of both generations (dma:* of 6.12 and later, probes before), iommu:map and block requests, as windows over pages:
 * how each is made (made-mappings.ts), what ends it (unmaps.ts, requests.ts, commands.ts), and what devices do as a habit.
 */
import {slotOf} from './calls.js';
import {Devices} from '../tables/devices.js';
import type {DeviceHabit, DmaDevice, DmaWindow} from '../tables/dma.js';
import {OpenWindows} from '../tables/open-windows.js';
import {Commands} from './commands.js';
import {EndedMappings} from './ended-mappings.js';
import type {Fault, Found} from '../tables/faults.js';
import {IommuWindows} from './iommu.js';
import {CoveredPages} from './covered-pages.js';
import {MadeMappings} from './made-mappings.js';
import {Requests} from './requests.js';
import {Unmaps} from './unmaps.js';
import {EventKind as K, type TraceEvent} from '../../events/event.js';
import type {Uses} from './around.js';
import type {Deed} from '../tables/references.js';
import {textOf} from '../tables/tasks.js';

/** Most spans kept in which requests were put back into their queue. */
const REQUEUES_MAX = 1000;
/** Most mappings of one device kept that were made again before they were unmapped: more say no more of it. */
const AGAIN_MAX = 100;

export class Mappings {
  private readonly names: Devices;
  readonly devices: readonly DmaDevice[];
  readonly under: CoveredPages;
  readonly windows: OpenWindows;
  readonly made: MadeMappings;
  private readonly unmaps: Unmaps;
  readonly past: EndedMappings;
  private readonly iommu: IommuWindows;
  private readonly requests: Requests;
  /** made with the first command */
  private commands: Commands | undefined;
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
    this.made = new MadeMappings(around, this.names, this.under, this.iommu, {
      opened: (ev, key, window) => this.opened(ev, key, window),
      withdrawn: (window) => {
        this.windows.withdraw(window);
        this.under.unwrite(window, true);
        this.under.detach(window);
      },
    });
    this.unmaps = new Unmaps(around, this.names, this.under, this.windows);
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
      case K.DmaMapSg:
      case K.DmaMapEntry:
      case K.DmaMapReturn:
      case K.DmaMapSgEntry:
      case K.DmaMapSgItem:
      case K.DmaMapSgReturn:
      case K.Bounced:
        this.made.event(ev);
        break;
      case K.DmaUnmap:
      case K.DmaUnmapSg:
      case K.DmaUnmapSgEntry:
      case K.DmaUnmapSgItem:
        this.unmaps.event(ev);
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
    const unnamed = what === 'followsTables' || what === 'mayBeGiven' ? this.under.unnamed : undefined;
    const device = this.devices[window.device] ?? unnamed;
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

  /** Mappings given up because too many were open. */
  get forgotten(): number {
    return this.windows.forgotten + this.iommu.forgotten;
  }

  // --- opening and closing

  private opened(ev: TraceEvent, key: number, window: DmaWindow): void {
    const device = this.devices[window.device];
    if (device) device.maps++;
    this.windows.add(key, window, this.under.owners.stillHeld);
    this.under.attach(ev, window);
    this.windows.cover(window.rows.length);
    if (window.cut > 0) this.made.cutLists.add(window);
    this.mayBeOfRequest(ev, window);
  }

  private mayBeOfRequest(ev: TraceEvent, window: DmaWindow): void {
    if (this.around.capture.records(K.BlockIssue)) this.requests.mapped(slotOf(this.around, ev), window);
    this.commands?.mapped(slotOf(this.around, ev), window);
  }

  // --- small things

  private slot(ev: TraceEvent): number {
    return this.around.calls.slot(ev.cpu, ev.context);
  }
}

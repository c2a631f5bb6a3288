/**
 * What the events of unmapping end: the windows that each may be of, and mappings that were never seen to be made. The events of
 * 6.12 fire after the unmapping, so that a window ends a little late; probes fire at entry.
 */
import {EventKind as K, type TraceEvent} from '../../events/event.js';
import type {Devices} from '../tables/devices.js';
import {type DmaDevice, type DmaWindow, isPacketHead, type Run} from '../tables/dma.js';
import {addressKey, itemKey, listKey, type OpenWindows} from '../tables/open-windows.js';
import type {Uses} from './around.js';
import type {CoveredPages} from './covered-pages.js';

/** dma_unmap_sg prints so many entries at most (include/trace/events/dma.h). */
const UNMAP_LIST_MAX = 128;

export class Unmaps {
  constructor(
    private readonly around: Uses<'capture' | 'evidence' | 'calls'>,
    private readonly names: Devices,
    private readonly under: CoveredPages,
    private readonly windows: OpenWindows,
  ) {}

  event(ev: TraceEvent): void {
    const {capture} = this.around;
    switch (ev.kind) {
      case K.DmaUnmap:
        this.close(ev, addressKey(ev.dmaAddr), ev.size, undefined);
        break;
      case K.DmaUnmapSg:
        if (ev.listLength > 0) {
          const page = 1 << this.under.pageShift;
          this.closeList(ev, (i) => Math.floor(ev.listPhys[i]! / page), ev.listPhys[0]!);
        }
        break;
      case K.DmaUnmapSgEntry: {
        const pfn = capture.listedPfn(ev, 0);
        if (pfn >= 0) this.closeList(ev, (i) => capture.listedPfn(ev, i), this.under.physOf(pfn), listedBytes(ev));
        break;
      }
      case K.DmaUnmapSgItem: {
        const pfn = capture.pfnOf(ev);
        if (pfn >= 0) this.close(ev, itemKey(pfn), 0, undefined);
        break;
      }
    }
  }

  private close(ev: TraceEvent, key: number, size: number, same: ((window: DmaWindow) => boolean) | undefined): void {
    const device = this.names.of(ev);
    if (
      this.windows.unmapped(
        key,
        device,
        ev.dir,
        size,
        same,
        this.around.evidence.deed(ev),
        this.around.calls.slot(ev.cpu, ev.context),
      )
    )
      return;
    this.windows.unmatched++;
    const of = this.names.list[device];
    if (of !== undefined) this.mapMissing(ev, of);
  }

  /** An unmap of what was never mapped: its map is older than the trace, or it is missing. */
  private mapMissing(ev: TraceEvent, device: DmaDevice): void {
    const {under} = this;
    const law = device.mapMissing();
    // a filter may leave out maps so short: what the device does shows all the same
    if (ev.kind === K.DmaUnmap && isPacketHead({dir: ev.dir, address: ev.dmaAddr, size: ev.size}))
      device.servesOthers = device.sendsPackets = true;
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
      for (let i = 0; i < ev.listLength; i++) runs.push({pfn: this.around.capture.listedPfn(ev, i), pages: 1});
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
}

/** The bytes of the entries of a list that a probe prints. */
function listedBytes(ev: TraceEvent): number {
  let bytes = 0;
  for (let i = 0; i < ev.listLength; i++) bytes += Math.max(0, ev.listLen[i]!);
  return bytes;
}

/**
 * What may be concluded from silence. "It did not happen" is proven only where the recording would have shown it: every
 * function through which it can happen was recorded, on every CPU, for every task, with nothing lost in between.
 */
import type {Moment} from '../ledger/moment.js';
import type {Unseen} from '../capture/audit.js';
import {EventKind as K} from '../events/event.js';
import {countsRecorded} from '../ledger/moment.js';
import type {Ledger} from '../ledger/ledger.js';

/** Why something that is not in the trace may have happened all the same. */
export interface Doubt {
  why: string;
  /** line that tells of it; 0 where it is inferred */
  line?: number;
}

/** Kinds of events that end a mapping. */
const UNMAPS = [K.DmaUnmap, K.DmaUnmapSg, K.DmaUnmapSgEntry, K.IommuUnmap];

/** The unmap of each way to map a page, and the events of which one shows the map. */
const WAYS_OF_MAPPING: readonly (readonly [unmap: number, ...maps: number[]])[] = [
  [K.DmaUnmap, K.DmaMap, K.DmaMapEntry],
  [K.DmaUnmapSg, K.DmaMapSg],
  [K.DmaUnmapSgEntry, K.DmaMapSgEntry],
  [K.DmaUnmapSgItem, K.DmaMapSgItem],
  [K.IommuUnmap, K.IommuMap],
];

const ONLY_PINNED =
  'no page_ref event of a page without a pin came: they may be filtered by count, and the drop of a last pin leaves none then';

const NO_IDLE =
  'no event of the idle task came: in a trace of some tasks only, what an interrupt drops while another runs would be missing';

export class Silence {
  constructor(private readonly m: Ledger) {}

  /** Null where `what` cannot have happened to the page unseen within [from, to]; else why it can. */
  never(what: Unseen, page: Moment, from: number, to: number): Doubt | null {
    return (
      this.left() ??
      this.lost(from, to) ??
      this.notRunning(what, from, to) ??
      this.ofPage(page, from, to, what) ??
      this.filtered() ??
      this.uncovered(what, page, from, to) ??
      (what === 'dropped' ? this.underWay(page) : null)
    );
  }

  /** Of several traces that one which would show it does not run all the while. */
  private notRunning(what: Unseen, from: number, to: number): Doubt | null {
    const gap = this.m.capture.notRunning.get(what)?.within(from, to);
    return gap === undefined ? null : {why: gap.why};
  }

  /** The probe of a drop of the page was hit, and its change of the count did not come: the trace ends between the two. */
  private underWay(page: Moment): Doubt | null {
    const {calls, pages} = this.m;
    for (const hints of [calls.hints, calls.displaced.values()])
      for (const hint of hints)
        if (hint?.from === 'put' && !hint.done && hint.pfn >= 0 && pages.findFolio(hint.pfn) === page.row)
          return {why: `line ${hint.line} begins a drop of the page, whose end was not seen`, line: hint.line};
    return null;
  }

  /** The input is a part of a trace, or of what happened: what was left out is not known. */
  left(): Doubt | null {
    const {facts, leftOut} = this.m.capture;
    if (facts.has('excerpt')) return {why: 'the input is an excerpt: what was left out is not known'};
    return leftOut === undefined ? null : {why: `not all was recorded: ${leftOut}`};
  }

  /** Events that are known to be lost, or so many that any may be. */
  lost(from: number, to: number): Doubt | null {
    const {gaps, audit, events} = this.m.capture;
    const gap = gaps.within(from, to);
    if (gap !== undefined) return {why: gap.why, line: gap.line};
    const lossy = audit.lossy(events, gaps);
    return lossy === undefined ? null : {why: lossy};
  }

  /**
   * What silence alone cannot prove: a burst of lost lines may take a page's free, its allocation and its next pin, so where one
   * line is missing without a mark, they may be; and tracing may have been off for a while, or off on a CPU, which leaves no mark.
   */
  alone(from: number, to: number): Doubt | null {
    const {audit, coverage, gaps, quiet} = this.m.capture;
    const once = audit.missingOnce(gaps);
    if (once !== undefined) return {why: once};
    const {oneTaker} = coverage;
    const pause = quiet.within(from, to);
    if (pause !== undefined) return {why: pause.why};
    if (oneTaker !== undefined)
      return {
        why: `all takings are of task ${oneTaker}, as where their probes are filtered by pid: others' leave no event`,
      };
    return this.whole(from, to);
  }

  /** The same of a page whose count shows its drops, and that is held for long: a machine is idle meanwhile, and one lost line may be any page's. */
  whole(from: number, to: number): Doubt | null {
    const {audit, silentCpus} = this.m.capture;
    const why = audit.missingWithin(from, to);
    if (why !== undefined) return {why};
    if (silentCpus === 0) return null;
    return {
      why: `${silentCpus} of the machine's CPUs left no event: they may not have been recorded (tracing_cpumask)`,
    };
  }

  /** An I/O's reference is dropped in an interrupt, while any task runs or none: a filter by task leaves that out, and no header says so. */
  elsewhere(): Doubt | null {
    return this.m.capture.idleSeen ? null : {why: NO_IDLE};
  }

  /** Events that are missing of this page, told or found out. */
  lostOf(page: Moment, from: number, to: number): Doubt | null {
    return this.lost(from, to) ?? this.ofPage(page, from, to);
  }

  /** Laws that the trace breaks about this page. */
  ofPage(page: Moment, from: number, to: number, what?: Unseen): Doubt | null {
    const {pages, capture} = this.m;
    const {audit} = capture;
    const breach =
      audit.ofPage(page.pfn, from, to, what) ??
      (page.large ? audit.ofPage(pages.pfn[page.row]!, from, to, what) : undefined);
    return breach === undefined ? null : {why: breach.why, line: breach.line};
  }

  /** A trace of some tasks only lacks what others and interrupts did. */
  filtered(): Doubt | null {
    const {m} = this;
    if (m.capture.facts.has('pid_filter'))
      return {why: 'only some tasks were recorded: what others and interrupts did to the page is missing'};
    if (m.capture.oneTask === undefined) return null;
    return {
      why: `all events are of task ${m.capture.oneTask}, as in a trace filtered by pid: what others did to the page would be missing`,
    };
  }

  /** Functions through which it can happen and that were not recorded, or whose probes were missed. */
  private uncovered(what: Unseen, page: Moment, from: number, to: number): Doubt | null {
    const {m} = this;
    // the page's own counts show every reference taken and dropped
    if (page.counted && (what === 'taken' || what === 'dropped' || what === 'put'))
      return what === 'taken' || m.counts.unpinnedSeen ? null : {why: ONLY_PINNED};
    switch (what) {
      case 'taken':
        return (
          this.recorded([K.Grab], 'try_grab_*() are not probed: a pin may have left no event') ??
          m.capture.audit.doubt(what, from, to) ??
          this.oneWayOnly(from) ??
          this.missed()
        );
      case 'dropped':
        return this.undropped(page, from, to);
      case 'put':
        if (!countsRecorded(m)) return {why: 'no page_ref events: a put leaves no event'};
        break;
      case 'mapped':
        // one that is missing shows by its unmap
        return m.capture.audit.doubt(what, from, to) ?? this.unmapsOnly() ?? this.unplaced(from, to);
      case 'unmapped':
        return this.recorded(UNMAPS, 'no unmaps of DMA are recorded') ?? m.capture.audit.doubt(what, from, to) ?? null;
      case 'freed':
        return this.recorded([K.PageFree, K.PageFreeBatched], 'no mm_page_free events');
      case 'written back':
        return m.writeback.flagsPrinted ? null : this.recorded([K.WritebackStart], 'no start of writeback is recorded');
      case 'writeback ended':
        return m.writeback.flagsPrinted ? null : this.recorded([K.WritebackEnd], 'no end of writeback is recorded');
    }
    return this.missed();
  }

  /** References may have been taken by get_user_pages(), from a time on, that no event of a probe names. */
  takings(from: number): Doubt | null {
    return this.recorded([K.Grab], 'try_grab_*() are not probed') ?? this.oneWayOnly(from);
  }

  /** Of a page whose own count does not show it. */
  private undropped(page: Moment, from: number, to: number): Doubt | null {
    const {m} = this;
    const doubt =
      this.recorded([K.GupPut], 'gup_put_folio() is not probed: an unpin may have left no event') ??
      m.capture.audit.doubt('dropped', from, to);
    if (doubt) return doubt;
    // A large folio's count does not tell pins from gets; but what no probe explains is noted with its references.
    if (page.large && countsRecorded(m)) return this.missed();
    return {why: 'no page_ref events back the probes: the probe on its unpin may have been missed in an interrupt'};
  }

  /** A coherent buffer leaves no dma_map_*() event; iommu_map() maps its pages too (iommu_dma_alloc(), drivers/iommu/dma-iommu.c). */
  coherent(): Doubt | null {
    return this.recorded(
      [K.IommuMap],
      'no iommu:map events: a coherent buffer (dma_alloc_*()) may have had the address since',
    );
  }

  /** Events of one of these kinds would be there if they had happened. */
  private recorded(kinds: readonly number[], otherwise: string): Doubt | null {
    const {capture} = this.m;
    if (kinds.some((kind) => capture.certifies(kind))) return null;
    const listed = kinds.some((kind) => capture.records(kind));
    return {
      why: listed ? `${otherwise}: none came, and a trace.dat lists what trace-cmd record -v left out too` : otherwise,
    };
  }

  /** Pages were mapped that the trace does not name. */
  private unplaced(from: number, to: number): Doubt | null {
    const gap = this.m.dma.made.unplacedWithin(from, to);
    return gap === undefined ? null : {why: gap.why, line: gap.line};
  }

  /** A way of mapping whose unmaps are recorded and whose maps are not. */
  private unmapsOnly(): Doubt | null {
    const {capture} = this.m;
    for (const [unmap, ...maps] of WAYS_OF_MAPPING)
      if (capture.certifies(unmap) && !maps.some((map) => capture.certifies(map)))
        return {why: 'DMA unmaps of a kind are recorded whose maps are not: the page may have been mapped'};
    return null;
  }

  /** Pins are taken through a fast and a slow path; calls whose grabs sum to what they return show that both are recorded. */
  private oneWayOnly(from: number): Doubt | null {
    const {audit, coverage} = this.m.capture;
    const why = coverage.takingUncovered(from);
    if (why === null || audit.takingsBalance(from)) return null;
    return {why};
  }

  /** Probes that the kernel says it missed: only a count that page_ref events show tells which page each was about. */
  private missed(): Doubt | null {
    const {probesMissedByKernel} = this.m.capture;
    if (probesMissedByKernel === 0) return null;
    return {
      why: `the kernel missed ${probesMissedByKernel} hits of probes (kprobe_profile), and no page's count tells which`,
    };
  }
}

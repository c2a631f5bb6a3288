/**
 * Which rules a trace can decide: from the events that are in it, each rule ran, ran in part, or did not run. A rule whose
 * events were not recorded is never "clean".
 */
import {EventKind as K} from '../events/event.js';
import type {Ledger} from '../ledger/ledger.js';
import type {RuleStatus} from '../results/report.js';
import type {Need, RuleMeta} from '../claims/rule-meta.js';

/** What gives a kind of evidence: any of these event kinds; how to record it, in words. */
interface Source {
  has(m: Ledger): boolean;
  /** what a trace without it does not show, in two words */
  what: string;
  events: string;
  advice: string;
}

const any =
  (...kinds: number[]) =>
  (m: Ledger): boolean =>
    kinds.some((k) => m.capture.seen[k]! > 0);

const anyUnmap = any(K.DmaUnmap, K.DmaUnmapSg, K.DmaUnmapSgEntry, K.DmaUnmapSgItem, K.IommuUnmap);

const refs = (m: Ledger): boolean => m.capture.seen[K.RefMod]! > 0 || m.capture.seen[K.RefModAndTest]! > 0;

export const SOURCES: Record<Need, Source> = {
  pins: {
    what: 'pins being taken',
    has: (m) =>
      m.held.takenPins > 0 ||
      m.capture.seen[K.Grab]! > 0 ||
      m.capture.seen[K.AddPin]! > 0 ||
      (refs(m) && m.counts.smallSeen),
    events:
      'page_ref:page_ref_mod, page_ref:page_ref_mod_unless; or kprobes on try_grab_folio, try_grab_folio_fast, try_grab_page',
    advice: 'record how pins are taken: all seven page_ref events (CONFIG_DEBUG_PAGE_REF), or probes on try_grab_*',
  },
  unpins: {
    what: 'unpins',
    has: (m) =>
      m.capture.seen[K.GupPut]! > 0 || m.capture.seen[K.UnpinCall]! > 0 || m.capture.seen[K.RefModAndTest]! > 0,
    events: 'page_ref:page_ref_mod_and_test; or a kprobe on gup_put_folio',
    advice: 'record how pins are dropped: page_ref events, or a probe on gup_put_folio (unpin_user_page* before 5.19)',
  },
  gets: {
    what: 'get_user_pages references',
    has: (m) => m.capture.seen[K.Grab]! > 0 || m.held.takenGets > 0,
    events: 'kprobes on try_grab_folio, try_grab_folio_fast, try_grab_page (their flags tell FOLL_GET)',
    advice: 'probe try_grab_*: only its flags tell a get_user_pages reference from any other',
  },
  puts: {
    what: 'put_page()',
    has: (m) => m.capture.seen[K.RefModAndTest]! > 0 && m.counts.smallSeen,
    events: 'page_ref:page_ref_mod_and_test',
    advice: 'put_page() leaves no event without page_ref events: use a kernel with CONFIG_DEBUG_PAGE_REF',
  },
  counts: {
    what: 'page_ref events',
    has: refs,
    events: 'page_ref:*',
    advice: 'counts need page_ref events: use a kernel with CONFIG_DEBUG_PAGE_REF',
  },
  'dma-map': {
    what: 'DMA mappings',
    has: any(K.DmaMap, K.DmaMapSg, K.DmaMapEntry, K.DmaMapSgEntry, K.DmaMapSgItem, K.IommuMap),
    events:
      'dma:dma_map_page (dma_map_phys), dma:dma_map_sg; before 6.12 kprobes on dma_map_page_attrs, dma_map_sg_attrs',
    advice:
      'enable dma:dma_map_* (6.12 and later) or probe dma_map_page_attrs (with its return), dma_map_sg_attrs and dma_map_sgtable',
  },
  'dma-unmap': {
    what: 'DMA unmaps',
    has: (m) => anyUnmap(m) || m.dma.devices.some((device) => device.completions > 0),
    events:
      'dma:dma_unmap_page (dma_unmap_phys), dma:dma_unmap_sg; before 6.12 kprobes on dma_unmap_page_attrs, dma_unmap_sg_attrs',
    advice: 'enable dma:dma_unmap_* (6.12 and later) or probe dma_unmap_page_attrs and dma_unmap_sg_attrs',
  },
  'iommu-fault': {
    what: 'IOMMU faults',
    // `pinscope record`, whose header tells of the IOMMU, sets it together with iommu:map
    has: (m) =>
      m.capture.seen[K.IommuFault]! > 0 ||
      m.capture.recordedEvents.has('iommu:io_page_fault') ||
      (m.capture.facts.has('iommu') && (m.capture.seen[K.IommuMap]! > 0 || m.capture.seen[K.IommuUnmap]! > 0)),
    events: "iommu:io_page_fault; or the IOMMU driver's own lines in a kernel log",
    advice: 'enable iommu:io_page_fault on a machine whose IOMMU translates (no iommu=pt)',
  },
  writeback: {
    what: 'writeback',
    has: (m) => m.capture.seen[K.WritebackStart]! > 0 || (refs(m) && m.writeback.flagsPrinted),
    events: 'kprobes on __folio_start_writeback and folio_end_writeback; or page_ref events, whose flags show it',
    advice: 'probe __folio_start_writeback and folio_end_writeback',
  },
  free: {
    what: 'frees',
    has: any(K.PageFree, K.PageFreeBatched, K.RefModAndTest),
    events: 'kmem:mm_page_free',
    advice: 'enable kmem:mm_page_alloc and kmem:mm_page_free',
  },
  dirty: {
    what: 'dirtying',
    has: any(K.MarkDirty),
    events: 'a kprobe on folio_mark_dirty (set_page_dirty before 5.18)',
    advice: 'probe folio_mark_dirty and folio_clear_dirty_for_io',
  },
  migratetype: {
    what: 'migratetypes',
    has: (m) => refs(m),
    events: 'page_ref:* (mt=)',
    advice: 'migratetypes are printed by page_ref events (CONFIG_DEBUG_PAGE_REF)',
  },
  'gup-flags': {
    what: 'FOLL_* flags of pins',
    has: any(K.Grab, K.PinCall),
    events: 'kprobes on try_grab_* or pin_user_pages* with their flags',
    advice: 'probe try_grab_* or pin_user_pages* with their flags argument',
  },
  time: {
    what: 'a clock of seconds',
    has: (m) => m.capture.time.unit !== 'ticks',
    events: 'a trace clock in nanoseconds',
    advice: 'record with a clock of time: echo mono > trace_clock',
  },
};

/** How far one rule could judge: `not-run` where a need is not seen in the trace, `partial` where only what would help is not. */
export function coverageOf(m: Ledger, meta: RuleMeta): RuleStatus {
  const missing = meta.needs.filter((need) => !SOURCES[need].has(m));
  if (missing.length > 0) {
    return {
      id: meta.id,
      status: 'not-run',
      missing: missing.map((need) => SOURCES[need].events),
      advice: missing.map((need) => SOURCES[need].advice).join('; '),
      lacks: missing.map((need) => ({need, what: SOURCES[need].what, record: SOURCES[need].advice})),
    };
  }
  const weak = meta.helpedBy.filter(({need}) => !SOURCES[need].has(m));
  const limits = weak.map(({need, misses}) => `without ${SOURCES[need].what} it misses ${misses}`);
  if (limits.length > 0) {
    return {
      id: meta.id,
      status: 'partial',
      missing: weak.map(({need}) => SOURCES[need].events),
      advice: limits.join('; '),
      lacks: weak.map(({need, misses}) => ({need, what: SOURCES[need].what, record: SOURCES[need].advice, misses})),
    };
  }
  return {id: meta.id, status: 'ran', missing: [], advice: '', lacks: []};
}

/** How far each rule could judge what is in the trace. */
export function coverage(m: Ledger, rules: readonly {readonly meta: RuleMeta}[]): RuleStatus[] {
  return rules.map(({meta}) => coverageOf(m, meta));
}

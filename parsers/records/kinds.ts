/**
 * Which events a record form decodes. The fields of each are those of its family (src/events/kinds.ts), under the names that
 * parsers/events/family.ts declares: text and records are read by one table.
 */
import {probeOfEventName} from '../events/probe-table.js';
import {probedField} from './decoder.js';
import type {EventFormat} from './format.js';
import {EventKind as K, type EventKind} from '../../src/events/event.js';

/** Kinds by `system:name`: two systems have events of one name (`map`). */
export const RECORDED: ReadonlyMap<string, EventKind> = new Map<string, EventKind>([
  ['page_ref:page_ref_set', K.RefSet],
  ['page_ref:page_ref_mod', K.RefMod],
  ['page_ref:page_ref_mod_and_test', K.RefModAndTest],
  ['page_ref:page_ref_mod_and_return', K.RefModAndReturn],
  ['page_ref:page_ref_mod_unless', K.RefModUnless],
  ['page_ref:page_ref_freeze', K.RefFreeze],
  ['page_ref:page_ref_unfreeze', K.RefUnfreeze],
  ['kmem:mm_page_alloc', K.PageAlloc],
  ['kmem:mm_page_free', K.PageFree],
  ['kmem:mm_page_free_batched', K.PageFreeBatched],
  ['vmscan:mm_vmscan_write_folio', K.VmscanWrite],
  ['vmscan:mm_vmscan_writepage', K.VmscanWrite],
  ['filemap:mm_filemap_add_to_page_cache', K.CacheAdd],
  ['filemap:mm_filemap_delete_from_page_cache', K.CacheDelete],
  ['dma:dma_map_page', K.DmaMap],
  ['dma:dma_map_phys', K.DmaMap],
  ['dma:dma_unmap_page', K.DmaUnmap],
  ['dma:dma_unmap_phys', K.DmaUnmap],
  // dma_map_resource maps device memory, which has no pages: counted, not decoded
  ['dma:dma_map_sg', K.DmaMapSg],
  ['dma:dma_unmap_sg', K.DmaUnmapSg],
  ['dma:dma_map_sg_err', K.DmaMapSgError],
  ['iommu:map', K.IommuMap],
  ['iommu:unmap', K.IommuUnmap],
  ['iommu:io_page_fault', K.IommuFault],
  ['writeback:writeback_dirty_folio', K.WritebackDirtyFolio],
  ['writeback:writeback_dirty_page', K.WritebackDirtyFolio],
  ['writeback:folio_wait_writeback', K.WaitOnWriteback],
  ['writeback:wait_on_page_writeback', K.WaitOnWriteback],
  ['block:block_rq_issue', K.BlockIssue],
  ['block:block_rq_complete', K.BlockComplete],
  ['block:block_rq_requeue', K.BlockRequeue],
  ['nvme:nvme_setup_cmd', K.NvmeStart],
  ['nvme:nvme_complete_rq', K.NvmeDone],
  ['scsi:scsi_dispatch_cmd_start', K.ScsiStart],
  ['scsi:scsi_dispatch_cmd_done', K.ScsiDone],
  ['swiotlb:swiotlb_bounced', K.Bounced],
  ['io_uring:io_uring_register', K.IoUringRegister],
  ['ftrace:print', K.Marker],
  ['ftrace:bprint', K.Marker],
  ['ftrace:bputs', K.Marker],
]);

/** Kinds of events by their formats: of probes by the names of the events, for no record tells the function yet. */
export function kindsOf(formats: Iterable<EventFormat>): EventKind[] {
  const kinds = new Set<EventKind>();
  for (const format of formats) {
    const known = RECORDED.get(format.title);
    const probed = known === undefined ? probedField(format) : undefined;
    const spec = probed && probeOfEventName(format.name);
    if (known !== undefined) kinds.add(known);
    else if (spec) kinds.add(probed.isReturn ? spec.returnKind : spec.entryKind);
  }
  return [...kinds];
}

/** What a recorded event is told as: a probe on the return of a function does not show its entries, whatever it is called. */
export function factOf(format: EventFormat): 'recorded_event' | 'recorded_return' {
  return probedField(format)?.isReturn === true ? 'recorded_return' : 'recorded_event';
}

/**
 * Mappings that go through a bounce buffer (swiotlb): the device has the buffer, and the CPU touches the page: it copies out
 * of it when it maps, into it when it unmaps or syncs (kernel/dma/swiotlb.c: swiotlb_bounce()).
 */
import {told, type Premise} from '../claims/premise.js';
import {DmaDir} from '../events/event.js';
import type {DmaWindow} from '../ledger/tables/dma.js';

/**
 * What the device only reads was copied when it was mapped: the page is let go in time whenever that is. What it writes is
 * copied into the page by the unmap, whoever has the page then: that is as bad as without a buffer.
 */
export function untouched(window: DmaWindow): Premise[] {
  const {bounced, dir, open} = window;
  if (dir !== DmaDir.toDevice) return [];
  if (window.mayBeBounced)
    return [told('the page itself is touched until the mapping ends', false, apart(window), open)];
  if (!bounced) return [];
  const why = `the mapping at line ${open.line} goes through a bounce buffer, which the device only reads: the page was copied when it was mapped`;
  return [told('the page itself is touched until the mapping ends', false, why, open)];
}

/** What the device writes meanwhile gets into the page by the CPU, when it is unmapped or synced. */
export function throughBuffer(window: DmaWindow | undefined): Premise[] {
  if (window?.mayBeBounced) return [told('the device writes the page itself', false, apart(window), window.open)];
  if (!window?.bounced) return [];
  const why = `the mapping at line ${window.open.line} goes through a bounce buffer: the device does not write the page itself`;
  return [told('the device writes the page itself', false, why, window.open)];
}

function apart({open}: DmaWindow): string {
  return `the mapping at line ${open.line} has another address than the page: of an IOMMU, or of a bounce buffer that the device has instead (swiotlb_bounced tells)`;
}

/** Values that DMA events and DMA probes share. */

import {DmaDir} from '../../src/events/event.js';
import {decimalHigh32, decimalLow32, isDigit, number} from '../bytes.js';

/**
 * A direction by name (`FROM_DEVICE`, `DMA_TO_DEVICE`) or number (enum dma_data_direction: probes, `-R`).
 */
export function dmaDirection(buf: Uint8Array, start: number, end: number): number {
  if (start >= end) return DmaDir.unknown;
  if (isDigit(buf[start]!)) {
    const value = number(buf, start, end);
    return value <= DmaDir.none ? value : DmaDir.unknown;
  }
  // DMA_ before the name, as the enum has it
  if (end - start > 4 && buf[start] === 68 && buf[start + 3] === 95) start += 4;
  switch (buf[start]) {
    case 66: // BIDIRECTIONAL
      return DmaDir.bidirectional;
    case 84: // TO_DEVICE
      return DmaDir.toDevice;
    case 70: // FROM_DEVICE
      return DmaDir.fromDevice;
    case 78: // NONE
      return DmaDir.none;
    default:
      return DmaDir.unknown;
  }
}

const F_LOWER = 102;

/**
 * DMA_MAPPING_ERROR, which a failed mapping prints for its address: all ones, of 64 bits or of 32 where dma_addr_t is
 * that small (no mapping of a page starts at an odd address).
 */
export function isAllOnes(buf: Uint8Array, start: number, end: number): boolean {
  if (end - start > 2 && buf[start + 1] === 120) start += 2;
  const digits = end - start;
  if (digits === 20)
    return decimalHigh32(buf, start, end) === 0xffffffff && decimalLow32(buf, start, end) === 0xffffffff;
  if (digits !== 16 && digits !== 8) return false;
  for (let i = start; i < end; i++) if ((buf[i]! | 32) !== F_LOWER) return false;
  return true;
}

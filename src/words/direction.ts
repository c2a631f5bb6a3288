/** DMA directions in words. */
import {DmaDir} from '../events/event.js';

/** As the kernel's trace events print it. */
export function directionName(dir: number): string {
  return dir === DmaDir.bidirectional
    ? 'BIDIRECTIONAL'
    : dir === DmaDir.toDevice
      ? 'TO_DEVICE'
      : dir === DmaDir.fromDevice
        ? 'FROM_DEVICE'
        : 'unknown direction';
}

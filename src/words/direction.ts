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

/** The same of a mapping, and whether the device reads or writes the pages themselves. */
export function howMapped({dir, bounced}: {readonly dir: number; readonly bounced: boolean}): string {
  return bounced ? `${directionName(dir)}, through a bounce buffer` : directionName(dir);
}

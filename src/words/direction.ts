/** DMA directions in words. */
import {DmaDir} from '../events/event.js';

/** As the kernel's trace events print them. */
export const DIRECTIONS: Readonly<Record<number, string>> = {
  [DmaDir.bidirectional]: 'BIDIRECTIONAL',
  [DmaDir.toDevice]: 'TO_DEVICE',
  [DmaDir.fromDevice]: 'FROM_DEVICE',
  [DmaDir.none]: 'NONE',
};

export function directionName(dir: number): string {
  return DIRECTIONS[dir] ?? 'unknown direction';
}

/** The same of a mapping, and whether the device reads or writes the pages themselves. */
export function howMapped({dir, bounced}: {readonly dir: number; readonly bounced: boolean}): string {
  return bounced ? `${directionName(dir)}, through a bounce buffer` : directionName(dir);
}

/** V8's space of new objects, held small. */
import {getHeapSpaceStatistics, setFlagsFromString} from 'node:v8';

/**
 * Largest that it is let grow to, in bytes; by itself it grows to twice 16 MiB as objects come and go. What survives is copied
 * the more often the smaller it is: below this that costs CPU time, above it nothing is won (docs/performance.md).
 */
const LARGEST_BYTES = 8 << 20;

let held = false;

/** To be called now and then while a trace is read: when the space has grown to its largest, it stays so. */
export function holdNewSpace(): void {
  if (held) return;
  const space = getHeapSpaceStatistics().find(({space_name: name}) => name === 'new_space');
  if (!space || space.space_size < LARGEST_BYTES) return;
  held = true;
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** What V8 is told of the work at hand: its heap is held small while a trace is read, and little is compiled once it was. */
import {getHeapSpaceStatistics, setFlagsFromString} from 'node:v8';

/**
 * Largest that the space of new objects is let grow to, in bytes; by itself it grows to twice 16 MiB as objects come and go.
 * What survives is copied the more often the smaller it is: below this that costs CPU time, above it nothing is won
 * (docs/performance.md).
 */
const LARGEST_BYTES = 8 << 20;

/**
 * The space of old objects is collected when it has doubled; by itself V8 waits until it is up to four times as large.
 * References and mappings live just long enough to come there, and most of them die soon.
 */
const GROWTH_PERCENT = 100;

/**
 * Bytecodes that a function runs through before V8 compiles it: its own figure while a trace is read. What comes after runs
 * once, and much of it would be over before its compiled code were of use (docs/performance.md).
 */
const COMPILED_AFTER = {reading: 66 << 10, telling: 600_000};

/** To be called before a trace is read, and when it was. */
export function nowFor(work: keyof typeof COMPILED_AFTER): void {
  setFlagsFromString(`--interrupt-budget=${COMPILED_AFTER[work]}`);
}

let begun = false;
let held = false;

/** To be called now and then while a trace is read: when the space of new objects has grown to its largest, it stays so. */
export function holdHeap(): void {
  if (!begun) {
    begun = true;
    setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
  }
  if (held) return;
  const space = getHeapSpaceStatistics().find(({space_name: name}) => name === 'new_space');
  if (!space || space.space_size < LARGEST_BYTES) return;
  held = true;
  setFlagsFromString('--semi-space-growth-factor=1');
}

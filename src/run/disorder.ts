/** Traces out of order of time: how far, and what that leaves open. */
import type {Ledger} from '../ledger/ledger.js';
import type {Sorter} from '../order/sorter.js';
import type {ReadInput} from './reading.js';

/** Disorder of this much, across CPUs only, is that of a reader who was overtaken: the window of other tools mends it. */
const SLIGHT_NS = 10_000_000;

/** 1: of a form that prints in order, and somewhat out of it; or events came too late for the window. 2: thoroughly out of order */
export type Disorder = 0 | 1 | 2;

/** How far inputs of a form that prints in order are out of it; several inputs are sorted anyway. */
export function disorderOf(read: readonly ReadInput[]): Disorder {
  let most: Disorder = 0;
  for (const {form, reader} of read) {
    const {outOfOrder, outOfOrderByCpu, furthestBack} = reader.counters;
    if (outOfOrder === 0) continue;
    // each tool prints a CPU's own events in their order
    if (outOfOrderByCpu.some((n) => n > 0)) return 2;
    if (!form.ordered) continue;
    if (furthestBack > SLIGHT_NS) return 2;
    most = 1;
  }
  return most;
}

/** What disorder leaves open, also where it breaks the law that a CPU's own events stand in order of time. */
export function tellDisorder({capture}: Ledger, read: readonly ReadInput[], sorter: Sorter | undefined): void {
  if (sorter && sorter.tooLate > 0)
    capture.gaps.add(sorter.tooLateFrom, sorter.tooLateTo, 'events came too late to be put into order');
  if (sorter === undefined ? disorderOf(read) > 0 : !sorter.thorough && disorderOf(read) > 1)
    capture.gaps.add(
      -Infinity,
      Infinity,
      'the trace is not in order of time, and a pipe cannot be read again to sort it',
    );
  for (const {cpu, from, to, line} of sorter?.unexplained ?? [])
    capture.gaps.add(
      from,
      to,
      `the times of CPU ${cpu} go back at line ${line}: their order is not certain`,
      cpu,
      line,
    );
  for (const {reader} of read) {
    const {firstBack, outOfOrderByCpu} = reader.counters;
    if (firstBack === undefined) continue;
    const {cpu, from, to, line} = firstBack;
    capture.audit.disorder(
      outOfOrderByCpu.reduce((sum, n) => sum + (n ?? 0), 0),
      {
        law: 'cpu-in-order',
        what: undefined,
        from: to,
        to: from,
        pfn: -1,
        line,
        why: `the times of CPU ${cpu} go back at line ${line}`,
      },
    );
  }
}

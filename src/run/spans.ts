/**
 * Several traces are read as one, but each has its own beginning and end. What only one of them records is not recorded before
 * it begins and after it ends, and nothing is between two of which one ends before the other begins.
 */
import type {Unseen} from '../capture/audit.js';
import {Gaps} from '../capture/gaps.js';
import {EventKind as K} from '../events/event.js';
import type {Ledger} from '../ledger/ledger.js';
import type {ReadInput} from './reading.js';

/** References show by probes and by counts, and either tells of the other. */
const REFERENCES: readonly number[] = [
  K.Grab,
  K.AddPin,
  K.GupPut,
  K.UnpinCall,
  K.RefSet,
  K.RefMod,
  K.RefModUnless,
  K.RefModAndTest,
  K.RefModAndReturn,
];

/** The kinds of events that show what may have happened unseen. */
const SHOWN_BY: Readonly<Record<Unseen, readonly number[]>> = {
  taken: REFERENCES,
  dropped: REFERENCES,
  put: REFERENCES,
  mapped: [K.DmaMap, K.DmaMapSg, K.DmaMapEntry, K.DmaMapSgEntry, K.DmaMapSgItem, K.IommuMap],
  unmapped: [K.DmaUnmap, K.DmaUnmapSg, K.DmaUnmapSgEntry, K.DmaUnmapSgItem, K.IommuUnmap, K.BlockComplete],
  freed: [K.PageFree, K.PageFreeBatched, K.PageAlloc],
  'written back': [K.WritebackStart, K.ClearDirtyForIo],
  'writeback ended': [K.WritebackEnd],
};

interface Span {
  from: number;
  to: number;
  kinds: Uint8Array;
}

/** Tells of times at which not all of several inputs run. */
export function tellSpans({capture}: Ledger, read: readonly ReadInput[]): void {
  if (read.length < 2) return;
  // the default is `local`, and any other may have been set
  const clocks = read.map((_, input) => capture.clocks[input]);
  const untold = clocks.findIndex((clock) => clock === undefined);
  if (capture.clockFrom !== '--clock' && untold >= 0 && clocks.some((clock) => clock !== undefined))
    capture.gaps.add(
      -Infinity,
      Infinity,
      `${read[untold]!.input.name} does not say which clock it has: whether it is that of the others is not known (--clock)`,
    );
  // latency-format counts from when a buffer was begun (kernel/trace/trace.c, time_start), perf script --reltime from its first event
  const own = capture.origins.findIndex((origin) => origin !== undefined);
  if (own >= 0)
    capture.gaps.add(
      -Infinity,
      Infinity,
      `the times of ${read[own]!.input.name} count from the ${capture.origins[own]}: those of several traces cannot be put into one order`,
    );
  const spans = read.flatMap(({reader: {counters}}, input): Span[] => {
    const kinds = capture.kindsOf[input];
    return kinds === undefined || counters.latest === -Infinity
      ? []
      : [{from: counters.earliest, to: counters.latest, kinds}];
  });
  const times = [...new Set(spans.flatMap(({from, to}) => [from, to]))].toSorted((a, b) => a - b);
  const [begin, end] = [times[0]!, times.at(-1)!];
  for (const [i, first] of times.entries()) {
    const last = times[i + 1];
    if (last === undefined) break;
    const running = spans.filter((span) => span.from <= first && span.to >= last);
    // what came at the ends of a trace is in it
    const [from, to] = [first + 1, last - 1];
    if (running.length === spans.length) continue;
    if (running.length === 0) {
      capture.gaps.add(from, to, 'none of the traces runs here: one ends before the next begins');
      continue;
    }
    for (const [what, kinds] of Object.entries(SHOWN_BY) as [Unseen, readonly number[]][]) {
      if (kinds.every((kind) => !spans.some((span) => span.kinds[kind]) || running.some((span) => span.kinds[kind])))
        continue;
      let gaps = capture.notRunning.get(what);
      if (gaps === undefined) capture.notRunning.set(what, (gaps = new Gaps()));
      gaps.add(
        first === begin ? -Infinity : from,
        last === end ? Infinity : to,
        'of the traces that are read together, one that records such events begins later or ends earlier',
      );
    }
  }
}

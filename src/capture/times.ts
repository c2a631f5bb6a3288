/**
 * What the times of a trace leave open, by what its reader told: `order=none` (no line prints a time: lines stand in
 * whatever order a tool emptied its buffers), `clock_unit=unknown` (numbers that never decrease, of no unit that is
 * proven), `clock_resolution_ns` (a time of day in whole seconds).
 */

/** Why nothing that needs order or distance is proven by these times, in words; null where they tell both. */
export function untold(facts: ReadonlyMap<string, string>): string | null {
  if (facts.get('order') === 'none') return 'no line prints a time: which event came first is not known';
  if (facts.get('clock_unit') === 'unknown')
    return 'the unit of the times is not proven: how far apart two events are is not known';
  const resolution = Number(facts.get('clock_resolution_ns') ?? 0);
  return resolution >= COARSE_NS
    ? 'the times are whole seconds: which of two events of one second came first is not known'
    : null;
}

/** Deeds on one page are micro- and milliseconds apart. */
const COARSE_NS = 1e9;

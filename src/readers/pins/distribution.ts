/** Percentiles and a log2 histogram of times, as bpftrace's hist() makes one. */
import type {Distribution} from '../../results/pins.js';

/**
 * @param times_ns whole ns, in any order; negative ones count as 0
 * @returns null of no times. Percentiles are the nearest rank: a value that occurred.
 */
export function distribution(times_ns: Iterable<number>): Distribution | null {
  const times = Float64Array.from(times_ns, (ns) => Math.max(0, ns)).sort();
  if (times.length === 0) return null;
  const rank = (share: number): string => String(times[Math.max(0, Math.ceil(share * times.length) - 1)] ?? 0);
  const counts = new Map<number, number>();
  for (const ns of times) {
    const bucket = bucketOf(ns);
    counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
  }
  const lowest = Math.min(...counts.keys());
  const highest = Math.max(...counts.keys());
  const log2: Distribution['log2'] = [];
  for (let bucket = lowest; bucket <= highest; bucket++) {
    const from = bucket < 0 ? 0n : 1n << BigInt(bucket);
    const to = bucket < 0 ? 1n : from * 2n;
    log2.push({from_ns: from.toString(), to_ns: to.toString(), count: counts.get(bucket) ?? 0});
  }
  return {
    count: times.length,
    min_ns: rank(0),
    p50_ns: rank(0.5),
    p90_ns: rank(0.9),
    p99_ns: rank(0.99),
    max_ns: rank(1),
    log2,
  };
}

/** The power of two at or below `ns`; -1 for 0. The logarithm rounds up just below large powers, hence the check. */
function bucketOf(ns: number): number {
  if (ns < 1) return -1;
  const power = Math.floor(Math.log2(ns));
  return 2 ** power > ns ? power - 1 : power;
}

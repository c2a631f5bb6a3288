/**
 * The tests of `pinscope diff`. What is counted must be independent: calls, not pages (pages of one call counted as
 * independent call 81 % of equal recordings different; calls 4 %, see docs/comparing.md).
 */
import jstat from 'jstat';

const {jStat} = jstat;

/** Counts beyond which the exact sum is not worth its time; the normal approximation is as good by then. */
const EXACT_MAX = 20_000;

/**
 * Whether two Poisson rates differ: `a` events in an exposure `ta`, `b` in `tb`. Given their sum, a is binomial: exact and
 * two-sided (the sum of all that is as likely or less), right for none and for few. Answers p; 1 where nothing is exposed.
 */
export function poissonRatesP(a: number, ta: number, b: number, tb: number): number {
  const n = a + b;
  if (n === 0 || !(ta > 0 && tb > 0)) return 1;
  const share = ta / (ta + tb);
  if (n > EXACT_MAX) {
    const z = Math.max(0, Math.abs(a - n * share) - 0.5) / Math.sqrt(n * share * (1 - share));
    return twoSided(z);
  }
  const logOf = (k: number): number =>
    jStat.gammaln(n + 1) -
    jStat.gammaln(k + 1) -
    jStat.gammaln(n - k + 1) +
    k * Math.log(share) +
    (n - k) * Math.log1p(-share);
  const most = logOf(a) + 1e-7;
  let sum = 0;
  for (let k = 0; k <= n; k++) {
    const log = logOf(k);
    if (log <= most) sum += Math.exp(log);
  }
  return Math.min(1, sum);
}

/** Values by bucket: how many there are of each. */
export type Histogram = Map<number, number>;

export interface RankTest {
  p: number;
  /** P(a value of b is greater than one of a), ties by half: 0.5 is equal (Vargha and Delaney's A) */
  effect: number;
  na: number;
  nb: number;
}

/** Mann-Whitney U, two-sided, normal approximation with ties and continuity. */
export function mannWhitney(a: Histogram, b: Histogram): RankTest {
  const buckets = [...new Set([...a.keys(), ...b.keys()])].sort((x, y) => x - y);
  const [na, nb] = [size(a), size(b)];
  if (na === 0 || nb === 0) return {p: 1, effect: 0.5, na, nb};
  let [u, ties, below] = [0, 0, 0];
  for (const bucket of buckets) {
    const x = a.get(bucket) ?? 0;
    const y = b.get(bucket) ?? 0;
    u += y * (below + x / 2);
    below += x;
    ties += (x + y) ** 3 - (x + y);
  }
  const n = na + nb;
  const sd = Math.sqrt(((na * nb) / 12) * (n + 1 - ties / (n * (n - 1))));
  const z = sd > 0 ? Math.max(0, Math.abs(u - (na * nb) / 2) - 0.5) / sd : 0;
  return {p: twoSided(z), effect: u / (na * nb), na, nb};
}

function twoSided(z: number): number {
  return Math.min(1, jStat.erfc(z / Math.SQRT2));
}

/** Each p as it has to be read where so many are looked at (Holm). In the order given. */
export function holm(ps: readonly number[]): number[] {
  const order = ps.map((p, i) => ({p, i})).sort((x, y) => x.p - y.p);
  const out = Array.from<number>({length: ps.length});
  let most = 0;
  order.forEach(({p, i}, rank) => (out[i] = most = Math.max(most, Math.min(1, p * (ps.length - rank)))));
  return out;
}

/** Buckets of a sixteenth of a power of two. */
export function bucketOf(ns: number): number {
  return Math.floor(16 * Math.log2(Math.max(ns, 1)));
}

export function put(histogram: Histogram, ns: number): void {
  const bucket = bucketOf(ns);
  histogram.set(bucket, (histogram.get(bucket) ?? 0) + 1);
}

export function size(histogram: Histogram): number {
  let n = 0;
  for (const count of histogram.values()) n += count;
  return n;
}

/** The middle of the median's bucket in ns; null of none. */
export function medianOf(histogram: Histogram): number | null {
  let left = size(histogram) / 2;
  for (const [bucket, count] of [...histogram].sort((x, y) => x[0] - y[0])) {
    left -= count;
    if (left <= 0) return Math.round(2 ** ((bucket + 0.5) / 16));
  }
  return null;
}

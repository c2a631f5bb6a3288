/**
 * Times added one by one, and their distribution at the end, in bounded memory: exact while they are few; beyond that
 * percentiles are those of buckets less than 1 % wide, and minimum, maximum and the log2 counts stay exact.
 */
import {distribution} from './distribution.js';
import type {Distribution} from '../../results/pins.js';

/** Times kept one by one. */
const EXACT_MAX = 4096;
/** Buckets of one power of two. */
const STEPS = 128;

export class Spread {
  private exact: number[] | undefined = [];
  private readonly buckets = new Map<number, number>();
  private count = 0;
  private min = Infinity;
  private max = 0;

  /** `ns`: whole; less than 0 counts as 0. `times`: how often. */
  add(ns: number, times = 1): void {
    const value = Math.max(0, ns);
    this.count += times;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    if (this.exact && this.exact.length + times <= EXACT_MAX) {
      for (let i = 0; i < times; i++) this.exact.push(value);
      return;
    }
    const {exact} = this;
    this.exact = undefined;
    for (const one of exact ?? []) this.bucket(one, 1);
    this.bucket(value, times);
  }

  private bucket(ns: number, times: number): void {
    const key = ns < 1 ? -1 : Math.floor(Math.log2(ns) * STEPS);
    this.buckets.set(key, (this.buckets.get(key) ?? 0) + times);
  }

  result(): Distribution | null {
    if (this.count === 0) return null;
    if (this.exact) return distribution(this.exact);
    const buckets = [...this.buckets].sort((a, b) => a[0] - b[0]);
    const rank = (share: number): string => {
      let left = Math.ceil(share * this.count);
      for (const [key, n] of buckets) {
        left -= n;
        if (left > 0) continue;
        const middle = key < 0 ? 0 : Math.round(2 ** ((key + 0.5) / STEPS));
        return String(Math.min(this.max, Math.max(this.min, middle)));
      }
      return String(this.max);
    };
    const powers = new Map<number, number>();
    for (const [key, n] of buckets) {
      const power = key < 0 ? -1 : Math.floor(key / STEPS);
      powers.set(power, (powers.get(power) ?? 0) + n);
    }
    const log2: Distribution['log2'] = [];
    for (let power = Math.min(...powers.keys()); power <= Math.max(...powers.keys()); power++) {
      const from = power < 0 ? 0n : 1n << BigInt(power);
      const to = power < 0 ? 1n : from * 2n;
      log2.push({from_ns: from.toString(), to_ns: to.toString(), count: powers.get(power) ?? 0});
    }
    return {
      count: this.count,
      min_ns: String(this.min),
      p50_ns: rank(0.5),
      p90_ns: rank(0.9),
      p99_ns: rank(0.99),
      max_ns: String(this.max),
      log2,
    };
  }
}

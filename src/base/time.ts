/**
 * Times as exact integers.
 *
 * Nanoseconds since boot outgrow a double's 53 bits after 104 days of uptime, and `tai` or `x86-tsc` clocks start beyond
 * them, so times are kept as a (small) distance in ns or ticks from a base that the first event sets. A double holds
 * that distance exactly for any trace shorter than 104 days; the printed value is `base + t` in 64 bits.
 */
export class TimeBase {
  /** `ns` for clocks printed as seconds, `ticks` for counting clocks (counter, uptime, x86-tsc); undefined until seen. */
  unit: 'ns' | 'ticks' | undefined;
  private baseSeconds = 0;
  /** the same in ns, or the base in ticks */
  private base = 0n;

  /** Time of an event printed as `seconds.fraction`, fraction already in ns. Sets the base if there is none. */
  fromSeconds(seconds: number, fraction_ns: number): number {
    if (this.unit === undefined) {
      this.unit = 'ns';
      this.setBase(seconds);
    }
    return (seconds - this.baseSeconds) * 1e9 + fraction_ns;
  }

  /** Time of an event printed as one integer that may exceed 2^53 (ticks, or bpftrace's nsecs with unit `ns`). */
  fromInteger(value: bigint, unit: 'ns' | 'ticks'): number {
    if (this.unit === undefined) {
      this.unit = unit;
      if (unit === 'ns') this.setBase(Number(value / 1_000_000_000n));
      else this.base = value;
    }
    return Number(value - this.base);
  }

  private setBase(seconds: number): void {
    this.baseSeconds = seconds;
    this.base = BigInt(seconds) * 1_000_000_000n;
  }

  /** The absolute time of the trace's clock, in ns or ticks. */
  absolute(t: number): bigint {
    return this.base + BigInt(t);
  }

  /** The distance from the base for an absolute time (of `--time`). */
  relative(absolute: bigint): number {
    return Number(absolute - this.base);
  }
}

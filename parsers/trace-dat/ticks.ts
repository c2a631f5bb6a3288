/** Ticks of the TSC as nanoseconds: (ticks * mult) >> shift, in whole numbers of any size (option TSC2NSEC). */
import type {Tsc2Nsec} from './options.js';

export class Ticks {
  private readonly mult: number;
  private readonly shift: bigint;
  private readonly scale: number;
  /** of the page's stamp: what the shift cut off */
  private rest = 0;

  constructor({mult, shift}: Tsc2Nsec) {
    this.mult = mult;
    this.shift = BigInt(shift);
    this.scale = 2 ** shift;
  }

  /** ns of a page's stamp; distances are from it, until the next. */
  base(ticks: bigint): bigint {
    const product = ticks * BigInt(this.mult);
    this.rest = Number(product & ((1n << this.shift) - 1n));
    return product >> this.shift;
  }

  /** ns from the page's stamp to `ticks` later. */
  distance(ticks: number): number {
    const product = this.rest + ticks * this.mult;
    if (product <= Number.MAX_SAFE_INTEGER) return Math.floor(product / this.scale);
    return Number((BigInt(this.rest) + BigInt(ticks) * BigInt(this.mult)) >> this.shift);
  }
}

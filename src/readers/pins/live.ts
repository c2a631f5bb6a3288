/**
 * How many pins were held, over time: the most in each of some hundred equal steps. The length of the trace is not known
 * while it is read, so steps begin short, and when there are too many, two become one.
 */
import type {Ledger} from '../../ledger/ledger.js';
import type {LivePins as Result} from '../../results/pins.js';

/** Steps at most; there are between half of it and all of it, once the trace is long enough. */
const STEPS_MAX = 1024;
const FIRST_STEP_NS = 1000;

export class LivePins {
  /** held now */
  now = 0;
  private start = NaN;
  private step = FIRST_STEP_NS;
  private most: number[] = [];
  private peak = 0;
  private peakAt = 0;

  /** `delta` pins more (or fewer) from `t` on. */
  change(t: number, delta: number): void {
    if (Number.isNaN(this.start)) this.start = t;
    this.reach(t);
    this.now = Math.max(0, this.now + delta);
    const at = this.most.length - 1;
    if (this.now > this.most[at]!) this.most[at] = this.now;
    if (this.now > this.peak) {
      this.peak = this.now;
      this.peakAt = t;
    }
  }

  /** Fills the steps up to `t`; what comes a little out of order counts where time is already. */
  private reach(t: number): void {
    let wanted = Math.max(Math.floor((t - this.start) / this.step), this.most.length - 1, 0);
    while (wanted >= STEPS_MAX) {
      this.most = this.most.filter((_, i) => i % 2 === 0).map((n, i) => Math.max(n, this.most[2 * i + 1] ?? 0));
      this.step *= 2;
      wanted = Math.max(Math.floor((t - this.start) / this.step), this.most.length - 1);
    }
    while (this.most.length <= wanted) this.most.push(this.now);
  }

  /** null where there were none, or the clock does not tell time. */
  result(m: Ledger): Result | null {
    if (m.capture.time.unit !== 'ns' || this.peak === 0) return null;
    if (m.capture.last > this.start) this.reach(m.capture.last);
    return {
      start_ns: String(m.capture.time.absolute(this.start)),
      step_ns: String(this.step),
      most: this.most,
      peak: this.peak,
      peak_ns: String(m.capture.time.absolute(this.peakAt)),
    };
  }
}

/**
 * How far the clocks of two CPUs can be apart. trace_clock `local`, the default of tracefs and trace-cmd, orders nothing
 * across CPUs (kernel/trace/trace_clock.c); but a mapping is made before it is unmapped and a reference taken before it is
 * dropped, so each such pair on two CPUs bounds the skew of its CPUs from one side, and the closest pair bounds it best.
 */

/**
 * Clocks that are one for all CPUs: ktime_get_*() and trace_clock_global(). `tai` is none: it goes back when the time of day is
 * set back (timekeeping_set_tai_offset, tk_set_wall_to_mono in kernel/time/timekeeping.c), which each CPU's buffer shows later.
 */
export const ONE_CLOCK: ReadonlySet<string> = new Set(['mono', 'mono_raw', 'boot', 'global', 'nsecs']);

/** CPUs told apart; of further ones nothing is bounded. */
const CPUS_MAX = 4096;

interface Moment {
  t: number;
  cpu: number;
}

export class Skew {
  /** by pair of CPUs: the least time from a cause on the first to its effect on the second */
  private readonly least = new Map<number, number>();

  /** `first` came before `second` for certain, whatever their clocks say. */
  caused(first: Moment, second: Moment): void {
    if (first.cpu === second.cpu || !inRange(first.cpu) || !inRange(second.cpu)) return;
    const key = first.cpu * CPUS_MAX + second.cpu;
    const distance = second.t - first.t;
    if (!(this.least.get(key)! <= distance)) this.least.set(key, distance);
  }

  /**
   * What must lie between two times, the first on one CPU and the second on another, for them to be in that order: how far
   * the second CPU's clock can be ahead of the first's. Infinity where nothing bounds it.
   */
  ahead(first: number, second: number, clock: string | undefined): number {
    if (clock !== undefined && ONE_CLOCK.has(clock)) return 0;
    const ahead = this.least.get(first * CPUS_MAX + second) ?? Infinity;
    const back = this.least.get(second * CPUS_MAX + first) ?? Infinity;
    // There and back takes time whatever the clocks say: where it takes less than none a pair was no cause and effect.
    return ahead + back < 0 ? Infinity : ahead;
  }
}

function inRange(cpu: number): boolean {
  return cpu >= 0 && cpu < CPUS_MAX;
}

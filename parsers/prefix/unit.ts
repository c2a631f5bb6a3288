/**
 * The unit of a time that is one bare number. What a kernel does over and over bounds it: a call that pins or unpins a
 * range takes its pages one after the other on one CPU, a fraction of a microsecond to some ten microseconds each with a
 * probe on it. So 850 between two of them are nanoseconds, and 0, 1, 2 are microseconds.
 */

export interface Timed {
  /** the number, as a double */
  t: number;
  cpu: number;
  tid: number;
  name: string;
}

/** Events of loops over pages. */
const LOOP =
  /^(?:try_grab_(?:folio|page|compound_head)|gup_put_folio|put_compound_head|folio_add_pins?|unpin_user_page$|page_ref_|mm_page_free)/;
/** Fewer tell nothing. */
const FEW = 8;
/** As microseconds this would be longer than any such step takes. */
const LEAST_NS = 300;
/** As nanoseconds this would be shorter than a probe takes. */
const MOST_US = 60;
/** So many of the steps take longer than a tick, or the ticks are coarser than microseconds. */
const SEEN_SHARE = 0.3;

/** The unit that the lines of a head prove, and how; undefined where they prove none. */
export function unitOf(lines: readonly Timed[]): {unit: 'ns' | 'us'; why: string} | undefined {
  const steps: number[] = [];
  for (let i = 1; i < lines.length; i++) {
    const [a, b] = [lines[i - 1]!, lines[i]!];
    if (a.cpu !== b.cpu || a.tid !== b.tid || (a.cpu < 0 && a.tid < 0) || b.t < a.t) continue;
    if (LOOP.test(bare(a.name)) && LOOP.test(bare(b.name))) steps.push(b.t - a.t);
  }
  if (steps.length < FEW) return undefined;
  steps.sort((a, b) => a - b);
  // the loops: of those that pause between two pages there are fewer
  const quick = steps[steps.length >> 2]!;
  const said = `of ${steps.length} steps of loops over pages every fourth takes ${quick} at most`;
  if (quick >= LEAST_NS && quick < 1e6) return {unit: 'ns', why: `nanoseconds: ${said}`};
  const longer = steps.filter((step) => step > 0);
  // Of a clock whose ticks are longer than a step, whatever its unit, most steps take none: that tells nothing.
  const tick = longer[0] ?? Infinity;
  if (quick <= MOST_US && tick <= MOST_US && longer.length >= steps.length * SEEN_SHARE)
    return {unit: 'us', why: `microseconds: ${said}`};
  return undefined;
}

/** `gup_put_folio` of `kprobe:gup_put_folio` */
function bare(name: string): string {
  return name.slice(name.lastIndexOf(':') + 1);
}

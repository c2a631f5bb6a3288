/**
 * What was not seen: spans of time in which events were lost.
 *
 * A loss names no page, so it touches every page; what it takes away is certainty. Judges ask, they do not guess.
 */
export interface Gap {
  from: number;
  to: number;
  /** in words, for the `reason` of a verdict */
  why: string;
  /** whose events are missing; -1: any CPU's */
  cpu: number;
  /** where the trace tells of it; 0: it is inferred */
  line: number;
}

/** Most gaps kept apart; further ones widen the last. */
const GAPS_MAX = 10_000;
/** Gaps that share a hull: what touches no hull touches none of its gaps, so that most need not be looked at. */
const HULL_GAPS = 128;

export class Gaps {
  private readonly gaps: Gap[] = [];
  private readonly hulls: {from: number; to: number}[] = [];

  add(from: number, to: number, why: string, cpu = -1, line = 0): void {
    const last = this.gaps[this.gaps.length - 1];
    if (last && this.gaps.length >= GAPS_MAX) {
      last.from = Math.min(last.from, from);
      last.to = Math.max(last.to, to);
    } else this.gaps.push({from, to, why, cpu, line});
    const hull = (this.hulls[Math.floor((this.gaps.length - 1) / HULL_GAPS)] ??= {from, to});
    hull.from = Math.min(hull.from, from);
    hull.to = Math.max(hull.to, to);
  }

  get count(): number {
    return this.gaps.length;
  }

  /** The first gap that touches [from, to], both ends included; undefined when everything in it was seen. */
  within(from: number, to: number): Gap | undefined {
    const {gaps, hulls} = this;
    for (let i = 0; i < gaps.length;) {
      const block = Math.floor(i / HULL_GAPS);
      const end = Math.min(gaps.length, (block + 1) * HULL_GAPS);
      if (hulls[block]!.from <= to && hulls[block]!.to >= from) {
        for (; i < end; i++) if (gaps[i]!.from <= to && gaps[i]!.to >= from) return gaps[i];
      }
      i = end;
    }
    return undefined;
  }

  all(): readonly Gap[] {
    return this.gaps;
  }
}

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

export class Gaps {
  private readonly gaps: Gap[] = [];

  add(from: number, to: number, why: string, cpu = -1, line = 0): void {
    const last = this.gaps[this.gaps.length - 1];
    if (last && this.gaps.length >= GAPS_MAX) {
      last.from = Math.min(last.from, from);
      last.to = Math.max(last.to, to);
      return;
    }
    this.gaps.push({from, to, why, cpu, line});
  }

  get count(): number {
    return this.gaps.length;
  }

  /** The first gap that touches [from, to], both ends included; undefined when everything in it was seen. */
  within(from: number, to: number): Gap | undefined {
    for (const gap of this.gaps) if (gap.from <= to && gap.to >= from) return gap;
    return undefined;
  }

  all(): readonly Gap[] {
    return this.gaps;
  }
}

import type {Severity} from './report.js';

const RANK: Record<Severity, number> = {note: 0, warning: 1, error: 2};

/** Below 0 where `a` is graver than `b`: the order of reports. */
export function byGravity(a: Severity, b: Severity): number {
  return RANK[b] - RANK[a];
}

/** Whether `severity` is at least `min`. */
export function reaches(severity: Severity, min: Severity): boolean {
  return RANK[severity] >= RANK[min];
}

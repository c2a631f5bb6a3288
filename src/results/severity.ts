import type {Severity} from './report.js';

const RANK: Record<Severity, number> = {note: 0, warning: 1, error: 2};

/** Whether `severity` is at least `min`. */
export function reaches(severity: Severity, min: Severity): boolean {
  return RANK[severity] >= RANK[min];
}

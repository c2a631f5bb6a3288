import {BIAS} from '../base/reference.js';
import type {RawCounts} from '../claims/claim.js';
import type {Counts} from '../results/report.js';

/** A raw count decoded: of 1027 with one pin, 4 references of which 1 is a pin. A large folio's pins count 1 each as they are. */
export function decode(counts: RawCounts | null, large: boolean): Counts | null {
  if (!counts) return null;
  const {raw, pins} = counts;
  return {raw, pins, refs: raw === null ? null : large ? raw : raw - (BIAS - 1) * pins};
}

import type {Ledger} from '../ledger/ledger.js';

export interface PageTime {
  start: number;
  end: number;
}

/** `start_ns` and `end_ns` as the report prints them; null before the trace or without an end; ticks on counting clocks. */
export function timesOf(
  m: Ledger,
  start: number,
  end: number,
): {start_ns: string | null; end_ns: string | null; start_ticks?: string; end_ticks?: string} {
  const from = absolute(m, start);
  const to = absolute(m, end);
  if (m.capture.time.unit !== 'ticks') return {start_ns: from, end_ns: to};
  return {
    start_ns: null,
    end_ns: null,
    ...(from === null ? {} : {start_ticks: from}),
    ...(to === null ? {} : {end_ticks: to}),
  };
}

export function pageTimes(m: Ledger, page: PageTime): ReturnType<typeof timesOf> {
  return timesOf(m, page.start, page.end);
}

function absolute(m: Ledger, t: number): string | null {
  return Number.isFinite(t) ? String(m.capture.time.absolute(t)) : null;
}

/** A moment as `at_ns` or `at_ticks`; null before the trace. */
export function momentOf(m: Ledger, t: number): {at_ns: string | null; at_ticks?: string} {
  const at = absolute(m, t);
  if (m.capture.time.unit !== 'ticks') return {at_ns: at};
  return {at_ns: null, ...(at === null ? {} : {at_ticks: at})};
}

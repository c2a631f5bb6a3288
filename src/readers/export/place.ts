/** Which function of a call stack asked for a reference, or let go of one: the one that is the same in another boot. */

/** Innermost frames that are the tracer's own. */
const TRACER = [
  'trace_event_raw_event_',
  'trace_event_buffer_',
  '__traceiter_',
  '__page_ref_',
  'perf_trace_',
  'kprobe_',
  'kretprobe_',
  'aggr_pre_handler',
  'ftrace_',
  'arch_ftrace_',
  'bpf_',
  '[FTRACE',
];

/** Functions of mm/gup.c and of what it calls to take and drop: whoever called them is meant (names of 4.9 to 7.2). */
const GUP = [
  'gup_',
  'try_grab_',
  'try_get_',
  'pin_user_page',
  'unpin_user_',
  'unpin_folio',
  'pin_user_pages',
  'get_user_pages',
  '__get_user_pages',
  '__gup_longterm',
  'internal_get_user_pages',
  'follow_page',
  'faultin_page',
  'put_page',
  'folio_put',
  '__folio_put',
];

function startsWithOne(symbol: string, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => symbol.startsWith(prefix));
}

/** Symbols, innermost first, from the first on that is not the tracer's. */
export function withoutTracer(symbols: readonly string[]): readonly string[] {
  let at = 0;
  while (at < symbols.length && (startsWithOne(symbols[at]!, TRACER) || startsWithOne(symbols[at]!, GUP))) at++;
  return symbols.slice(at);
}

/** The innermost function that is neither the tracer's nor gup's own; null where there is none. */
export function placeIn(symbols: readonly string[]): string | null {
  return withoutTracer(symbols)[0] ?? null;
}

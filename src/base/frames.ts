/** Frames of call stacks, as text: `dounpin+0x60/0x90 [pinbad]`. */

/** Innermost frames that are the tracer's own, not the kernel path that was traced. */
const TRACER = [
  'trace_',
  '__traceiter_',
  '__page_ref_',
  'perf_trace_',
  'kprobe_',
  'kretprobe_',
  'aggr_pre_handler',
  'ftrace_',
  'arch_ftrace_',
  'bpf_',
  '[FTRACE TRAMPOLINE]',
];

export function isTracer(frame: string): boolean {
  return TRACER.some((name) => frame.startsWith(name));
}

/** The function's name in a frame, without offset, size and module: `dounpin` of `dounpin+0x60`. */
export function functionOf(frame: string): string {
  const end = frame.search(/[+ ]/);
  return end < 0 ? frame : frame.slice(0, end);
}

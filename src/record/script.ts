/** From options to the text of a script. */
import {bpftraceProgram, bpftraceScript} from './bpftrace.js';
import {choose, type Choice, type RecordOptions, type Recorder} from './options.js';
import {perfScript} from './perf.js';
import {traceCmdScript} from './trace-cmd.js';
import {tracefsScript} from './tracefs.js';

const WRITERS: Record<Recorder, (options: RecordOptions, choice: Choice) => string> = {
  tracefs: tracefsScript,
  'trace-cmd': traceCmdScript,
  perf: perfScript,
  // a program has no way to look at the machine: it is written for a kernel that is named
  bpftrace: (options, choice) =>
    options.kernel === undefined ? bpftraceScript(options, choice) : bpftraceProgram(options, choice),
};

/** A stand-alone script for a machine without Node; for bpftrace and a named kernel, the program. */
export function recordingScript(options: RecordOptions): string {
  return WRITERS[options.recorder](options, choose(options));
}

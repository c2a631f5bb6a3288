/** Binary recordings, recognised to say which command turns them into text. They have no reader. */

import {ascii, startsWith} from './bytes.js';
import type {Form, FormId, Sniff} from './form.js';

/** trace-cmd's trace.dat(5): 0x17 0x08 0x44 "tracing" */
const TRACE_DAT = Uint8Array.of(0x17, 0x08, 0x44, ...ascii('tracing'));
/** perf.data (tools/perf/Documentation/perf.data-file-format.txt), little and big endian */
const PERF_DATA = [ascii('PERFILE2'), ascii('2ELIFREP'), ascii('PERFFILE')];

function binary(id: FormId, title: string, magics: readonly Uint8Array[], evidence: string, advice: string): Form {
  return {
    id,
    title,
    ordered: true,
    sniff(head): Sniff {
      if (!magics.some((magic) => startsWith(head, 0, head.length, magic))) {
        return {verdict: 'no', score: 0, evidence: []};
      }
      return {verdict: 'refused', score: 100, evidence: [evidence], advice};
    },
    open() {
      throw new Error(`${title} is not text`);
    },
  };
}

export const traceDat = binary(
  'trace-dat',
  'trace.dat, the binary file of trace-cmd record',
  [TRACE_DAT],
  'begins with the magic of a trace.dat file',
  'Turn it into text first:\n  trace-cmd report -R -t -i trace.dat > trace.txt\n' +
    '(-R prints arrays of pages and scatterlists whole, -t whole nanoseconds), then\n  pinscope analyze trace.txt',
);

export const perfData = binary(
  'perf-data',
  'perf.data, the binary file of perf record',
  PERF_DATA,
  'begins with the magic of a perf.data file',
  'Turn it into text first:\n  perf script -i perf.data --ns --show-lost-events -F +pid > trace.txt\nthen\n  pinscope analyze trace.txt',
);

/**
 * Every form, in the order in which ties are decided. Adding a form: its folder, and its line here.
 */

import {bpftrace, bpftraceJson} from './bpftrace/index.js';
import {dmesg} from './dmesg/index.js';
import type {Form} from './form.js';
import {ftrace} from './ftrace/index.js';
import {mail} from './mail/index.js';
import {perfData} from './perf-data/index.js';
import {perfScript} from './perf-script/index.js';
import {traceCmd} from './trace-cmd/index.js';
import {traceDat} from './trace-dat/index.js';

export const forms: readonly Form[] = [
  traceDat,
  perfData,
  ftrace,
  traceCmd,
  perfScript,
  bpftraceJson,
  bpftrace,
  dmesg,
  mail,
];

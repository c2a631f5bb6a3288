/** tracefs text: `trace` and `trace_pipe`. */

import type {LineForm} from '../form.js';
import {FtraceReader} from './reader.js';
import {sniffFtrace} from './sniff.js';

export const ftrace: LineForm = {
  id: 'ftrace',
  title: 'ftrace text (tracefs trace or trace_pipe)',
  ordered: true,
  sniff: sniffFtrace,
  open: (sink, options) => new FtraceReader(sink, options),
};

export {FtraceReader};

/** An ftrace dump in a kernel log: dmesg, serial console, pstore, syslog. */

import type {LineForm} from '../form.js';
import {DmesgReader} from './reader.js';
import {sniffDmesg} from './sniff.js';

export const dmesg: LineForm = {
  id: 'dmesg',
  title: 'ftrace dump in a kernel log',
  // the kernel merges the buffers of its CPUs by time as it dumps them
  ordered: true,
  sniff: sniffDmesg,
  open: (sink, options) => new DmesgReader(sink, options),
};

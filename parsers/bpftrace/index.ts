/** What bpftrace prints, as text and with `-f json`. */

import type {FormId, LineForm} from '../form.js';
import {BpftraceJsonReader} from './json-reader.js';
import {sniffJson, sniffText} from './sniff.js';
import type {Style} from './style.js';
import {BpftraceReader} from './text-reader.js';

/** Events of different CPUs arrive in the order in which bpftrace emptied their buffers. */
const ordered = false;

export const bpftrace: LineForm = {
  id: 'bpftrace',
  title: 'bpftrace output',
  ordered,
  sniff: sniffText,
  open: (sink, options) => new BpftraceReader(sink, options),
};

export const bpftraceJson: LineForm = {
  id: 'bpftrace-json',
  title: 'bpftrace -f json output',
  ordered,
  sniff: sniffJson,
  open: (sink, options) => new BpftraceJsonReader(sink, options),
};

/** Opens what a program prints in a style of its own, as text or in records. */
export function openStyled(id: FormId, style: Style): LineForm['open'] {
  return (sink, options) =>
    id === 'bpftrace-json' ? new BpftraceJsonReader(sink, options, style) : new BpftraceReader(sink, options, style);
}

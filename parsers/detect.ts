/** Which form an input has (interim: ftrace text only). */
import type {Form, FormId} from './form.js';
import {FtraceReader} from './ftrace/index.js';

export type Detection =
  | {outcome: 'read'; form: Form; evidence: string[]}
  | {outcome: 'refused' | 'unknown'; message: string; advice: string; line?: number};

const ftrace: Form = {
  id: 'ftrace',
  title: 'ftrace text',
  ordered: true,
  sniff: () => ({verdict: 'yes', score: 1, evidence: []}),
  open: (sink, options) => new FtraceReader(sink, options),
};

export function detect(_head: Uint8Array, _from: FormId | undefined): Detection {
  return {outcome: 'read', form: ftrace, evidence: []};
}

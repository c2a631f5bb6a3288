/** What is known of a trace before its first events are judged: what the user says of it, and what its head shows. */
import type {LineForm, OpenOptions} from '../../parsers/form.js';
import {TimeBase} from '../base/time.js';
import {Announced} from '../capture/capture.js';
import {EVENT_KINDS} from '../events/event.js';
import {Ledger} from '../ledger/ledger.js';
import type {Detected} from './detect-form.js';
import type {ReadOptions} from './reading.js';

/** Records of the head that are read ahead; of text it is what its form is detected by. */
const LOOKAHEAD_RECORDS = 5000;

export function applyOptions(ledger: Ledger, options: ReadOptions): void {
  const {kernel, pageShift, vmemmap, clock} = options;
  ledger.evidence.stacks.kallsyms = options.kallsyms;
  if (kernel) ledger.capture.era.fromUser(kernel.text);
  if (pageShift !== undefined) ledger.capture.pageSize.told(pageShift, 'option');
  if (clock !== undefined) ledger.capture.clockTold(clock);
  if (vmemmap !== undefined)
    ledger.capture.identity.told(Number(vmemmap >> 32n), Number(vmemmap & 0xffffffffn), 'option');
}

export function openOptions(options: ReadOptions, input: number, time: TimeBase): OpenOptions {
  const {kernel, kallsyms} = options;
  return {
    input,
    time,
    ...(kernel === undefined ? {} : {kernel: kernel.text}),
    ...(kallsyms ? {kallsyms} : {}),
    ...(options.follow ? {mentions: true} : {}),
  };
}

/** A trial run over the head: which events the trace records, the FOLL_* numbering, vmemmap_base. */
export function lookAhead(ledger: Ledger, form: LineForm, head: Uint8Array, options: ReadOptions): Ledger {
  const trial = new Ledger(new TimeBase());
  applyOptions(trial, options);
  form.open(trial, {input: 0, time: trial.capture.time}).push(head, head.length);
  learn(ledger, trial);
  return trial;
}

/** The same of either kind of form: lines, or records. */
export function look(ledger: Ledger, {form, head, file}: Detected, input: number, options: ReadOptions): Ledger {
  if (!file) return lookAhead(ledger, form as LineForm, head, options);
  const trial = new Ledger(new TimeBase());
  applyOptions(trial, options);
  for (const kind of file.recorded)
    trial.capture.announced[kind] = file.mayBeLeftOut ? Announced.listed : Announced.enabled;
  ledger.capture.kindsOf[input] = trial.capture.announced.slice();
  file.reader(trial, openOptions(options, input, trial.capture.time)).step(LOOKAHEAD_RECORDS);
  learn(ledger, trial);
  return trial;
}

function learn(ledger: Ledger, trial: Ledger): void {
  for (let kind = 0; kind < EVENT_KINDS; kind++) {
    const found = trial.capture.seen[kind]! > 0 ? Announced.enabled : trial.capture.announced[kind]!;
    ledger.capture.announced[kind] = Math.max(ledger.capture.announced[kind]!, found);
  }
  ledger.learnFrom(trial);
}

/** Traces into a ledger: open, detect, look ahead, read, in one pass. */
import type {FormId, LineForm} from '../../parsers/form.js';
import {TimeBase} from '../base/time.js';
import type {EventSink} from '../events/event.js';
import {openInputs} from '../io/open-input.js';
import type {Listener} from '../ledger/listener.js';
import {Ledger} from '../ledger/ledger.js';
import {Sorter} from '../order/sorter.js';
import {refuseTwoBoots} from './boots.js';
import {detectForm} from './detect-form.js';
import {type Disorder, disorderOf, tellDisorder} from './disorder.js';
import {nowFor} from './engine.js';
import {applyOptions, look, openOptions} from './look-ahead.js';
import {pump} from './pump.js';
import {tellSpans} from './spans.js';
import type {Reading, ReadInput, ReadOptions, Watch} from './reading.js';

/** Forms whose events are lines of the input as they stand there: evidence can be read again by its place. */
const IN_PLACE: ReadonlySet<FormId> = new Set(['ftrace', 'trace-cmd', 'perf-script']);

/**
 * Reads all traces through a ledger with the listeners that `listen` makes for it.
 * Throws UserError for input that cannot be opened, is of no known form, or does not go together.
 */
export async function readTraces(options: ReadOptions, listen: (ledger: Ledger) => Listener[]): Promise<Reading> {
  const learnt: Learnt = {ledgers: [], disorder: 0};
  nowFor('reading');
  for (;;) {
    const reading = await readOnce(options, listen, learnt);
    if (reading === undefined) continue;
    nowFor('telling');
    return reading;
  }
}

/** Times that reading begins anew with what was found on the way. */
const AGAIN_MAX = 3;

/** What reading found that changes how the whole is read. */
interface Learnt {
  ledgers: Ledger[];
  disorder: Disorder;
}

/**
 * Reads all traces once. Where the base of page pointers or the page size is found only after pages were named without
 * it, a form that prints in order is not in order, or events came too late to be put into it, and the inputs can be read again: it is written into `learnt`, and
 * undefined answered.
 */
async function readOnce(
  options: ReadOptions,
  listen: (ledger: Ledger) => Listener[],
  learnt: Learnt,
): Promise<Reading | undefined> {
  const started = process.hrtime.bigint();
  const inputs = await openInputs(options.traces, options.signal);
  options.onOpen?.(inputs);
  if (options.sha256 !== true) for (const input of inputs) input.forgoDigest();
  try {
    const time = new TimeBase();
    const ledger = new Ledger(time);
    applyOptions(ledger, options);
    const detected = await Promise.all(inputs.map((input) => detectForm(input, options)));
    const trials = detected.map((d, i) => look(ledger, d, i, options));
    refuseTwoBoots(
      inputs.map((input) => input.name),
      trials,
    );
    for (const earlier of learnt.ledgers) ledger.learnFrom(earlier);
    inputs.forEach((input, i) => {
      const {form} = detected[i]!;
      const again = IN_PLACE.has(form.id) && form.transcoded !== true ? input.reread() : undefined;
      if (again) ledger.evidence.lineReaders[i] = (offset, length, cut) => again.line(offset, length, cut);
    });
    ledger.book.lives.follows = options.follow;
    ledger.listen(listen(ledger));
    const sink = options.watch === undefined ? ledger : watched(ledger, options.watch);

    const needsSorting = inputs.length > 1 || detected.some((d) => !d.form.ordered) || learnt.disorder > 0;
    const wide = inputs.length > 1 || (learnt.disorder === 1 && detected.some((d) => !d.form.ordered));
    const order = learnt.disorder === 2 ? 'thorough' : wide ? 'wide' : 'slight';
    const sorter = needsSorting ? new Sorter(sink, order, inputs.length) : undefined;
    const read = inputs.map((input, i): ReadInput => {
      const {form, evidence, file} = detected[i]!;
      const open = openOptions(options, i, time);
      if (!file) return {input, form, evidence, reader: (form as LineForm).open(sorter ?? sink, open)};
      const reader = file.reader(sorter ?? sink, open);
      ledger.evidence.lineReaders[i] = (place, length, cut) => reader.text(place, length, cut);
      ledger.capture.recordings.add(i);
      return {input, form, evidence, reader};
    });
    const again = learnt.ledgers.length < AGAIN_MAX && inputs.every((input) => input.identity !== null);
    const disorder = (): Disorder => {
      if (sorter === undefined || sorter.tooLate === 0) return disorderOf(read);
      return learnt.disorder === 0 && order === 'slight' ? 1 : 2;
    };
    const stop = (): boolean =>
      again && (ledger.capture.identity.late || ledger.capture.pageSize.late || disorder() > learnt.disorder);
    const partial = await pump(read, sorter, options.signal, stop);
    // what is put in order comes last, and may tell as much
    if (partial !== undefined || !stop()) sorter?.end();
    if (partial === undefined && stop()) {
      learnt.ledgers.push(ledger);
      learnt.disorder = Math.max(learnt.disorder, disorder()) as Disorder;
      return undefined;
    }
    tellDisorder(ledger, read, sorter);
    tellSpans(ledger, read);
    if (partial === undefined) {
      const counted = read.flatMap(({form, reader: {counters}}, input) => {
        if (form.id !== 'ftrace') return [];
        const {events, stacks, unrecognised} = counters;
        return [{input, events, stacks, unrecognised, sections: counters.endSections()}];
      });
      ledger.capture.entries.read(counted);
    }
    ledger.end();
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    return {ledger, inputs: read, partial, seconds, tooLate: sorter?.tooLate ?? 0};
  } finally {
    for (const input of inputs) input.close();
  }
}

function watched(sink: EventSink, watch: Watch): EventSink {
  watch.begin();
  return {
    event(ev) {
      watch.event(ev);
      sink.event(ev);
    },
    loss: (loss) => sink.loss(loss),
    fact: (input, name, value) => sink.fact(input, name, value),
    stackBegin: (cpu, pid) => sink.stackBegin(cpu, pid),
    stackFrame: (buf, start, end) => sink.stackFrame(buf, start, end),
    stackEnd: (number) => sink.stackEnd(number),
    stackAgain: (number) => sink.stackAgain?.(number) === true,
  };
}

/** Traces into a ledger: open, detect, look ahead, read, in one pass. */
import type {Pattern} from '../../parsers/prefix/pattern.js';
import {
  type Form,
  type FormId,
  type LineForm,
  type OpenOptions,
  readsRecords,
  type RecordFile,
  type RecordReader,
  Refused,
  type TraceReader,
} from '../../parsers/form.js';
import {refuseTwoBoots} from './boots.js';
import {holdHeap, nowFor} from './engine.js';
import type {KernelVersion} from '../base/selection.js';
import {type Input, openInputs, PEEK_LIMIT_BYTES} from '../io/input.js';
import {UserError} from '../io/user-error.js';
import {EVENT_KINDS, type EventSink, type TraceEvent} from '../events/event.js';
import type {Follower} from '../ledger/lives.js';
import type {Listener} from '../ledger/listener.js';
import {Ledger} from '../ledger/ledger.js';
import type {Kallsyms} from '../base/kallsyms.js';
import {Announced} from '../capture/capture.js';
import {TimeBase} from '../base/time.js';
import {Sorter} from '../order/sorter.js';

/** How much of the head is read ahead, to know what a trace records before its first events are judged. */
const LOOKAHEAD_BYTES = 512 * 1024;
/** The same of records. */
const LOOKAHEAD_RECORDS = 5000;
/** Records read between two looks at signals and other inputs. */
const STEP_RECORDS = 5_000;
/** A live pipe is not waited for longer than this before reading begins. */
const PATIENCE_MS = 300;

/** Forms whose events are lines of the input as they stand there: evidence can be read again by its place. */
const IN_PLACE: ReadonlySet<FormId> = new Set(['ftrace', 'trace-cmd', 'perf-script']);

export interface ReadOptions {
  traces: readonly string[];
  from: FormId | undefined;
  /** what stands before the event in lines of one's own program */
  prefix?: Pattern | undefined;
  kernel: KernelVersion | undefined;
  pageShift: number | undefined;
  vmemmap: bigint | undefined;
  /** trace_clock, as the user says */
  clock?: string | undefined;
  /** symbols that the user gave */
  kallsyms?: Kallsyms | undefined;
  /** the digest of each input is wanted */
  sha256?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** told once the inputs are open: to show progress */
  onOpen?: ((inputs: readonly Input[]) => void) | undefined;
  /** pages whose lives are kept whole */
  follow?: Follower | undefined;
  /** who looks at every event before the ledger does; reading may begin anew */
  watch?: Watch | undefined;
}

export interface Watch {
  begin(): void;
  event(ev: TraceEvent): void;
}

export interface ReadInput {
  input: Input;
  form: Form;
  reader: TraceReader | RecordReader;
  evidence: string[];
}

/** An input whose form is known, and its first bytes; of a recording what its head says. */
interface Detected {
  form: Form;
  evidence: string[];
  head: Uint8Array;
  file?: RecordFile;
}

const NO_BYTES = new Uint8Array(0);

export interface Reading {
  ledger: Ledger;
  inputs: ReadInput[];
  /** why reading stopped before the end; undefined when it did not */
  partial: string | undefined;
  seconds: number;
  tooLate: number;
}

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
/** Disorder of this much, across CPUs only, is that of a reader who was overtaken: the window of other tools mends it. */
const SLIGHT_NS = 10_000_000;

/** What reading found that changes how the whole is read. */
interface Learnt {
  ledgers: Ledger[];
  /** 1: of a form that prints in order, and somewhat out of it; or events came too late for the window. 2: thoroughly out of order */
  disorder: 0 | 1 | 2;
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
    const sorter = needsSorting ? new Sorter(sink, order) : undefined;
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
    const disorder = (): Learnt['disorder'] => {
      if (sorter === undefined || sorter.tooLate === 0) return disorderOf(read);
      return learnt.disorder === 0 && order === 'slight' ? 1 : 2;
    };
    const stop = (): boolean =>
      again && (ledger.capture.identity.late || ledger.capture.pageSize.late || disorder() > learnt.disorder);
    const partial = await pump(read, sorter, options, stop);
    if (partial === undefined && stop()) {
      learnt.ledgers.push(ledger);
      learnt.disorder = Math.max(learnt.disorder, disorder()) as Learnt['disorder'];
      return undefined;
    }
    sorter?.end();
    if (sorter && sorter.tooLate > 0)
      ledger.capture.gaps.add(sorter.tooLateFrom, sorter.tooLateTo, 'events came too late to be put into order');
    if (!sorter && disorderOf(read) > 0)
      ledger.capture.gaps.add(
        -Infinity,
        Infinity,
        'the trace is not in order of time, and a pipe cannot be read again to sort it',
      );
    tellDisorder(ledger, read, sorter);
    read.forEach(({form, reader}, i) => {
      if (form.id === 'ftrace' && partial === undefined) ledger.capture.entries.read(i, reader.counters);
    });
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

/** The law that a CPU's own events stand in order of time: where it is broken, and what that leaves open. */
function tellDisorder({capture}: Ledger, read: readonly ReadInput[], sorter: Sorter | undefined): void {
  for (const {cpu, from, to, line} of sorter?.unexplained ?? [])
    capture.gaps.add(
      from,
      to,
      `the times of CPU ${cpu} go back at line ${line}: their order is not certain`,
      cpu,
      line,
    );
  for (const {reader} of read) {
    const {firstBack, outOfOrderByCpu} = reader.counters;
    if (firstBack === undefined) continue;
    const {cpu, from, to, line} = firstBack;
    capture.audit.disorder(
      outOfOrderByCpu.reduce((sum, n) => sum + (n ?? 0), 0),
      {
        law: 'cpu-in-order',
        what: undefined,
        from: to,
        to: from,
        pfn: -1,
        line,
        why: `the times of CPU ${cpu} go back at line ${line}`,
      },
    );
  }
}

/** How far inputs of a form that prints in order are out of it; several inputs are sorted anyway. */
function disorderOf(read: readonly ReadInput[]): Learnt['disorder'] {
  let most: Learnt['disorder'] = 0;
  for (const {form, reader} of read) {
    const {outOfOrder, outOfOrderByCpu, furthestBack} = reader.counters;
    if (!form.ordered || outOfOrder === 0) continue;
    if (furthestBack > SLIGHT_NS || outOfOrderByCpu.some((n) => n > 0)) return 2;
    most = 1;
  }
  return most;
}

export function applyOptions(ledger: Ledger, options: ReadOptions): void {
  const {kernel, pageShift, vmemmap, clock} = options;
  ledger.evidence.stacks.kallsyms = options.kallsyms;
  if (kernel) ledger.capture.era.fromRelease(kernel.text, '--kernel');
  if (pageShift !== undefined) ledger.capture.pageSize.told(pageShift, 'option');
  if (clock !== undefined) ledger.capture.clockTold(clock);
  if (vmemmap !== undefined)
    ledger.capture.identity.told(Number(vmemmap >> 32n), Number(vmemmap & 0xffffffffn), 'option');
}

function openOptions(options: ReadOptions, input: number, time: TimeBase): OpenOptions {
  const {kernel, kallsyms} = options;
  return {
    input,
    time,
    ...(kernel === undefined ? {} : {kernel: kernel.text}),
    ...(kallsyms ? {kallsyms} : {}),
    ...(options.follow ? {mentions: true} : {}),
  };
}

/** Detects the form, and opens what is a recording: it stays open, for records are shown after it was read. */
async function detectForm(input: Input, options: ReadOptions): Promise<Detected> {
  const [{detect}, {holdsTrace, isHtml}] = await Promise.all([
    import('../../parsers/detect.js'),
    import('../../parsers/prefix/html.js'),
  ]);
  let head = await input.peek(LOOKAHEAD_BYTES, PATIENCE_MS);
  // the viewer in a page of systrace comes before the trace
  if (head.length === LOOKAHEAD_BYTES && isHtml(head) && !holdsTrace(head)) {
    head = await input.peek(PEEK_LIMIT_BYTES, PATIENCE_MS);
  }
  const found = detect(head, options.from, options.prefix);
  if (found.outcome === 'read') {
    const {form, evidence} = found;
    if (!readsRecords(form)) return {form, evidence, head};
    const source = await input.random();
    if (input.spooled > 0)
      evidence.push(`put aside in a temporary file of ${input.spooled} bytes, to be read by place`);
    try {
      return {form, evidence, head: NO_BYTES, file: await form.openFile(source)};
    } catch (error) {
      source.close();
      if (!(error instanceof Refused)) throw error;
      const {cut, cutAdvice} = input;
      // what it lacks may be what could not be put aside
      if (cut !== undefined) throw new UserError(`${cut}; ${error.message}`, {where: input.name, next: cutAdvice});
      throw new UserError(error.message, {where: input.name, next: error.advice});
    }
  }
  const where = found.line === undefined ? input.name : `${input.name}:${found.line}`;
  throw new UserError(found.message, {where, next: found.advice});
}

/** A trial run over the head: which events the trace records, the FOLL_* numbering, vmemmap_base. */
export function lookAhead(ledger: Ledger, form: LineForm, head: Uint8Array, options: ReadOptions): Ledger {
  const trial = new Ledger(new TimeBase());
  applyOptions(trial, options);
  form.open(trial, {input: 0, time: trial.capture.time}).push(head, head.length);
  learn(ledger, trial);
  return trial;
}

/** The same for either form. */
function look(ledger: Ledger, {form, head, file}: Detected, input: number, options: ReadOptions): Ledger {
  if (!file) return lookAhead(ledger, form as LineForm, head, options);
  const trial = new Ledger(new TimeBase());
  applyOptions(trial, options);
  for (const kind of file.recorded)
    trial.capture.announced[kind] = file.mayBeLeftOut ? Announced.listed : Announced.enabled;
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

/** Reads some of an input. False at its end. */
async function advance({input, reader}: ReadInput): Promise<boolean> {
  if ('step' in reader) {
    const more = reader.step(STEP_RECORDS);
    // the bytes are read by place; as they come they are counted, and hashed where the digest is wanted
    for (let n = more ? 1 : Infinity; n > 0; n--) if (!(await input.pass())) break;
    return more;
  }
  const chunk = await input.next();
  if (chunk !== null) reader.push(chunk, chunk.length);
  return chunk !== null;
}

/** Feeds the readers, the one that is furthest behind first. Answers why it stopped early, if it did. */
async function pump(
  read: readonly ReadInput[],
  sorter: Sorter | undefined,
  options: ReadOptions,
  stop: () => boolean,
): Promise<string | undefined> {
  const open = new Set(read);
  while (open.size > 0) {
    if (options.signal?.aborted) {
      for (const {reader} of open) {
        if ('push' in reader) reader.stopped?.();
        reader.end();
      }
      return stoppedBy(options.signal);
    }
    let next: ReadInput | undefined;
    for (const r of open) if (!next || r.reader.counters.latest < next.reader.counters.latest) next = r;
    const more = await advance(next!);
    holdHeap();
    if (!more) {
      next!.reader.end();
      open.delete(next!);
    }
    if (stop()) return undefined;
    if (sorter && read.length > 1 && open.size > 0) {
      sorter.passed(Math.min(...[...open].map((r) => r.reader.counters.latest)));
    }
    // A plain file is read without waiting: signals and progress get their turn here.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  // a pipe that gave nothing ends at the signal
  return options.signal?.aborted ? stoppedBy(options.signal) : undefined;
}

function stoppedBy(signal: AbortSignal): string {
  return `stopped by ${String(signal.reason)}: what came after is not in this report`;
}

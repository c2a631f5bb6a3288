/**
 * A trace that is still being written, line by line (`trace_pipe | pinscope analyze --follow`): findings as they become
 * certain, and memory that follows live pages, not the days it runs.
 */
import {Readable} from 'node:stream';
import split2 from 'split2';
import {detect} from '../../parsers/detect.js';
import {type Form, readsRecords, type TraceReader} from '../../parsers/form.js';
import {MAX_LINE} from '../../parsers/lines/line-reader.js';
import {CauseIds} from '../findings/causes.js';
import {UserError} from '../io/user-error.js';
import {Ledger} from '../ledger/ledger.js';
import {TimeBase} from '../base/time.js';
import type {Finding, QualityCounter} from '../results/report.js';
import {coverage} from '../proof/needs.js';
import {RULES} from '../rules/registry.js';
import {applyOptions, lookAhead} from './look-ahead.js';
import type {ReadOptions} from './reading.js';
import {type Judges, judgesOf, ruleFailed} from './analyze.js';
import {Sorter} from '../order/sorter.js';
import {wholeLines} from './whole-lines.js';

/** More than any line has by now: what is too long was cut to a little more than the reader takes. */
const LINE_LENGTH = 4 * MAX_LINE;
/** `skipOverflow` is missing from the package's types. */
const SPLIT = {maxLength: LINE_LENGTH, skipOverflow: true};

/** Lines, and characters of them, that may pass before the form is known: a trace's header and first events are within. */
const HEAD_LINES = 400;
const HEAD_LENGTH = 512 * 1024;
/** Lines are read in batches of so many characters, or as many as come in TURN_MS. */
const BATCH_LENGTH = 1 << 16;
const TURN_MS = 100;
/** Findings that are told at once, at most. */
const TOLD_AT_ONCE = 100;
/**
 * A finding is told this much later (wall clock): the loss of an event that could explain it away is told only with the
 * next event of its CPU. When no line comes for so long, what waits for its place in time is taken as complete.
 */
const SETTLED_MS = 1000;
/** How far back events that come out of order are waited for, once later ones have come. */
const LATE_NS = 2e9;

export interface FollowOptions extends ReadOptions {
  rules: readonly string[];
  longPin_ns: number;
  /** called with each finding once, in order, some at a time; no more is read until it is done */
  onFindings: (findings: readonly Finding[]) => Promise<void>;
}

export interface Followed {
  ledger: Ledger;
  reader: TraceReader | undefined;
  form: Form | undefined;
  lines: number;
  events: number;
  unrecognised: number;
  /** events that came too late to be put into order */
  tooLate: number;
  /** violations beyond the most findings that are kept at a time */
  dropped: number;
  /** rules that ended with an error of their own */
  failed: QualityCounter[];
  /** rules that could not run on what came */
  notRun: string[];
}

/** Follows a stream of bytes until it ends or `signal` is aborted. Throws UserError for a stream of no known form. */
export async function follow(
  source: AsyncIterable<Uint8Array>,
  name: string,
  options: FollowOptions,
): Promise<Followed> {
  const follower = new Follower(name, options);
  const whole = Readable.from(wholeLines(source), {objectMode: false});
  const lines = whole.pipe(split2('\n', {...SPLIT}));
  let failure: unknown;
  const stop = (): void => void lines.destroy();
  const fail = (error: unknown): void => {
    failure ??= error;
    stop();
  };
  whole.on('error', fail);
  options.signal?.addEventListener('abort', stop, {once: true});
  if (options.signal?.aborted === true) stop();
  let telling: Promise<void> | undefined;
  const turn = setInterval(() => {
    telling ??= follower
      .turn()
      .catch(fail)
      .finally(() => (telling = undefined));
  }, TURN_MS);
  try {
    for await (const line of lines as AsyncIterable<string>) {
      // Whoever reads the findings may be slower than they come: then no more are made.
      if (follower.line(line) && telling !== undefined) await telling;
    }
  } catch (error) {
    // Destroying the stream at a signal ends the loop with this; anything else is the source's own error.
    if (failure === undefined && options.signal?.aborted !== true) failure = error;
  } finally {
    clearInterval(turn);
    options.signal?.removeEventListener('abort', stop);
  }
  await telling;
  if (failure !== undefined) throw failure;
  return follower.end();
}

class Follower {
  private readonly time = new TimeBase();
  private readonly ledger = new Ledger(this.time);
  private form: Form | undefined;
  private reader: TraceReader | undefined;
  private sorter: Sorter | undefined;
  private judges: Judges | undefined;
  private head: string[] = [];
  private headLength = 0;
  private batch: string[] = [];
  private batchLength = 0;
  private told = 0;
  private readonly causes = new CauseIds();
  private lastLine = Date.now();

  constructor(
    private readonly name: string,
    private readonly options: FollowOptions,
  ) {
    applyOptions(this.ledger, options);
  }

  /** Takes a line; answers whether it completed a batch. */
  line(line: string): boolean {
    if (this.reader === undefined) {
      this.head.push(line);
      this.headLength += line.length;
      // The form shows with the first events; asking at every line would cost more than it tells.
      const last = this.head.length >= HEAD_LINES || this.headLength >= HEAD_LENGTH;
      if (last || (this.head.length & 15) === 0) this.begin(last);
      return false;
    }
    this.batch.push(line);
    this.batchLength += line.length;
    if (this.batchLength < BATCH_LENGTH) return false;
    this.push();
    return true;
  }

  /** What is done every TURN_MS. */
  async turn(): Promise<void> {
    const now = Date.now();
    if (this.batch.length > 0) {
      this.push();
      this.lastLine = now;
    }
    const idle = now - this.lastLine >= SETTLED_MS;
    if (this.reader === undefined) {
      if (idle && this.head.length > 0) this.begin(false);
      if (idle) this.lastLine = now;
      return;
    }
    if (idle) this.sorter?.passed(Infinity);
    else if (this.time.unit === 'ns') this.sorter?.passed(this.reader.counters.latest - LATE_NS);
    await this.tell(idle ? Infinity : this.ledger.capture.last, SETTLED_MS);
  }

  async end(): Promise<Followed> {
    if (this.reader === undefined && this.head.length > 0) this.begin(true);
    this.push();
    const {ledger, reader, sorter} = this;
    reader?.end();
    sorter?.end();
    ledger.end();
    await this.tell(Infinity, 0);
    return {
      ledger,
      reader,
      form: this.form,
      lines: reader?.counters.lines ?? 0,
      events: reader?.counters.events ?? 0,
      unrecognised: reader?.counters.unrecognised ?? 0,
      tooLate: sorter?.tooLate ?? 0,
      dropped: this.judges?.findings.dropped ?? 0,
      failed: (this.judges?.failures ?? []).map((failure) => ruleFailed(ledger, failure)),
      notRun: coverage(ledger, RULES)
        .filter((r) => r.status === 'not-run')
        .map((r) => r.id),
    };
  }

  private push(): void {
    if (this.reader === undefined || this.batch.length === 0) return;
    this.batch.push('');
    const bytes = Buffer.from(this.batch.join('\n'));
    this.batch = [];
    this.batchLength = 0;
    this.lastLine = Date.now();
    this.reader.push(bytes, bytes.length);
  }

  /** Begins to read, if the form is known. `last`: it has to be. */
  private begin(last: boolean): void {
    const {ledger, options, head} = this;
    const bytes = Buffer.from(`${head.join('\n')}\n`);
    const found = detect(bytes, options.from, options.prefix);
    if (found.outcome !== 'read') {
      if (!last && found.outcome === 'unknown') return;
      throw new UserError(found.message, {where: this.name, next: found.advice});
    }
    if (readsRecords(found.form))
      throw new UserError(`this is ${found.form.title}, which is read by place and not as it comes`, {
        where: this.name,
        next: 'analyse it without --follow',
      });
    this.form = found.form;
    lookAhead(ledger, found.form, bytes, options);
    this.judges = judgesOf(ledger, options);
    ledger.listen(this.judges.listeners);
    this.sorter = found.form.ordered ? undefined : new Sorter(ledger, 'slight');
    this.reader = found.form.open(this.sorter ?? ledger, {input: 0, time: this.time});
    this.head = [];
    this.batch = [bytes.toString().slice(0, -1)];
    this.push();
  }

  /** Tells what is complete at `now` and was found `age_ms` ago. */
  private async tell(now: number, age_ms: number): Promise<void> {
    if (this.judges === undefined) return;
    const waits = this.judges.pending.settleOlder(age_ms);
    const settled = this.judges.findings.takeSettled(now, waits);
    if (settled.length === 0) return;
    const runs = new Set(
      coverage(this.ledger, RULES)
        .filter((r) => r.status !== 'not-run')
        .map((r) => r.id),
    );
    const {rules} = this.options;
    const findings = settled.filter(
      (finding) => runs.has(finding.rule) && (rules.length === 0 || rules.includes(finding.rule)),
    );
    for (const finding of findings) {
      finding.id = `F${++this.told}`;
      finding.cause = this.causes.of(finding);
    }
    for (let at = 0; at < findings.length; at += TOLD_AT_ONCE)
      await this.options.onFindings(findings.slice(at, at + TOLD_AT_ONCE));
  }
}

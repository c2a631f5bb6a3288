/**
 * A trace that is still being written, line by line (`trace_pipe | pinscope analyze --follow`): findings as they become
 * certain, and memory that follows live pages, not the days it runs.
 */
import type {Readable} from 'node:stream';
import split2 from 'split2';
import {detect} from '../../parsers/detect.js';
import type {Form, TraceReader} from '../../parsers/form.js';
import {UserError} from '../io/user-error.js';
import {Model} from '../model/model.js';
import {TimeBase} from '../model/time.js';
import type {Finding} from '../report/types.js';
import {coverage} from '../quality/coverage.js';
import {applyOptions, lookAhead, type ReadOptions} from './read.js';
import {type Judges, judgesOf} from './report.js';
import {Sorter} from './sorter.js';

/** Longest line; a longer one is skipped, and its rest with it. */
const LINE_BYTES = 1 << 20;
/** `skipOverflow` is missing from the package's types. */
const SPLIT = {maxLength: LINE_BYTES, skipOverflow: true};

/** Lines that may pass before the form is known: a trace's header and its first events are within. */
const HEAD_LINES = 400;
/** A finding is told this much later (wall clock) even when no later event has come. */
const IDLE_MS = 1000;

export interface FollowOptions extends ReadOptions {
  rules: readonly string[];
  longPin_ns: number;
  /** called for each finding, once, in order */
  onFinding: (finding: Finding) => Promise<void>;
}

export interface Followed {
  model: Model;
  form: Form | undefined;
  lines: number;
  events: number;
  unrecognised: number;
  byRule: Record<string, number>;
  /** rules that could not run on what came */
  notRun: string[];
}

/** Follows a stream of bytes until it ends or `signal` is aborted. Throws UserError for a stream of no known form. */
export async function follow(source: Readable, name: string, options: FollowOptions): Promise<Followed> {
  const time = new TimeBase();
  const model = new Model(time);
  applyOptions(model, options);
  let head: string[] = [];
  let form: Form | undefined;
  let reader: TraceReader | undefined;
  let sorter: Sorter | undefined;
  let judges: Judges | undefined;
  let told = 0;
  const byRule: Record<string, number> = {};

  const begin = (last: boolean): void => {
    const bytes = Buffer.from(head.join(''));
    const found = detect(bytes, options.from);
    if (found.outcome !== 'read') {
      if (!last && found.outcome === 'unknown') return;
      throw new UserError(found.message, {where: name, next: found.advice});
    }
    form = found.form;
    lookAhead(model, form, bytes, options);
    judges = judgesOf(model, options);
    model.listen(judges.listeners);
    sorter = form.ordered ? undefined : new Sorter(model, 1);
    reader = form.open(sorter ?? model, {input: 0, time});
    reader.push(bytes, bytes.length);
    head = [];
  };

  const tell = async (now: number): Promise<void> => {
    if (!judges) return;
    const settled = judges.findings.takeSettled(now, told + 1);
    const runs = new Set(
      coverage(model)
        .filter((r) => r.status !== 'not-run')
        .map((r) => r.id),
    );
    for (const finding of settled) {
      if (!runs.has(finding.rule)) continue;
      finding.id = `F${++told}`;
      byRule[finding.rule] = (byRule[finding.rule] ?? 0) + 1;
      await options.onFinding(finding);
    }
  };

  const lines = source.pipe(split2('\n', {...SPLIT}));
  const stop = (): void => void lines.destroy();
  options.signal?.addEventListener('abort', stop, {once: true});
  let lastTold = Date.now();
  const idle = setInterval(() => void tell(model.last), IDLE_MS);
  idle.unref();
  try {
    for await (const line of lines as AsyncIterable<string>) {
      if (reader) {
        const bytes = Buffer.from(`${line}\n`);
        reader.push(bytes, bytes.length);
      } else {
        head.push(`${line}\n`);
        // The form shows with the first events; asking at every line would cost more than it tells.
        if (head.length >= HEAD_LINES || (head.length & 15) === 0) begin(head.length >= HEAD_LINES);
      }
      if (Date.now() - lastTold >= 100) {
        lastTold = Date.now();
        await tell(model.last);
      }
    }
  } catch (error) {
    // Destroying the stream at a signal ends the loop with this; anything else is the source's own error.
    if (!options.signal?.aborted) throw error;
  } finally {
    clearInterval(idle);
    options.signal?.removeEventListener('abort', stop);
  }
  if (!reader && head.length > 0) begin(true);
  reader?.end();
  sorter?.end();
  model.end();
  await tell(Infinity);
  return {
    model,
    form,
    lines: reader?.counters.lines ?? 0,
    events: reader?.counters.events ?? 0,
    unrecognised: reader?.counters.unrecognised ?? 0,
    byRule,
    notRun: coverage(model)
      .filter((r) => r.status === 'not-run')
      .map((r) => r.id),
  };
}

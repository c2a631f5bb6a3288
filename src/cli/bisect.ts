/**
 * `pinscope analyze --bisect`: a step of `git bisect run`, which takes 1 to 124 for bad, 125 for "cannot be told", and ends
 * at 128. pinscope's own 2 and 3, and Node's 1 for a crash, would blame an innocent commit.
 */
import {UserError} from '../io/user-error.js';
import {DeedCounter} from '../readers/deeds.js';
import {causeText} from '../readers/export/whole.js';
import {REPORT_RENDERERS} from '../report/index.js';
import type {Report} from '../results/report.js';
import {analyzeReading} from '../run/analyze.js';
import {selector} from '../findings/select.js';
import type {TraceOptions} from './base.js';
import {judging} from './judging.js';
import {produce} from './run.js';
import {parseInteger} from './values.js';

/** Calls that pin without a finding, from which on a commit is called good: with 95 % what is looked for is rarer than 3 in so many. */
const USUAL_DEEDS = 100;

export interface BisectAsked {
  /** only findings whose cause holds this text */
  cause: string | undefined;
  deeds: string | undefined;
}

/** Answers 1, 0 or 125. Throws UserError, which is 125 too. */
export async function runBisect(options: TraceOptions, asked: BisectAsked, version: string): Promise<number> {
  const deeds = asked.deeds === undefined ? USUAL_DEEDS : parseInteger('deeds', asked.deeds, 1, 1e9);
  const judged = await judging(options, version);
  let status = 125;
  await produce(options, REPORT_RENDERERS[options.to], async (run) => {
    let counter!: DeedCounter;
    const {report} = await analyzeReading({...judged, selected: selector(options), ...run}, () => [
      (counter = new DeedCounter()),
    ]);
    if (report.partial !== undefined) throw new UserError(report.partial);
    const told = bisectStatus(report, asked.cause, counter.count, deeds);
    ({status} = told);
    return {result: report, code: 0, remark: told.why};
  });
  return status;
}

/** 1 for a sure finding of the cause; 0 where the trace could have shown one and has none; else 125. */
export function bisectStatus(
  report: Report,
  cause: string | undefined,
  deeds: number,
  wanted: number,
): {status: 0 | 1 | 125; why: string} {
  const texts = new Map(report.causes.map((one) => [one.id, causeText(one)]));
  const asked = report.findings.filter(
    (f) => f.severity !== 'note' && (cause === undefined || texts.get(f.cause)!.includes(cause)),
  );
  const sure = asked.filter((f) => f.verdict === 'sure').length;
  if (sure > 0) return {status: 1, why: `bad: ${sure} sure findings`};
  if (asked.length > 0) return {status: 125, why: `cannot be told: ${asked.length} findings that are only possible`};
  const named = cause === undefined ? [] : report.rules.filter(({id}) => cause.split('|')[0] === id);
  const rules = named.length > 0 ? named : report.rules;
  const idle = rules.filter((rule) => rule.status === 'not-run');
  if (idle.length === rules.length || (named.length > 0 && idle.length > 0))
    return {status: 125, why: `cannot be told: ${idle.map(({id}) => id).join(', ')} could not run`};
  if (report.quality.some(({id, count}) => ['lost-events', 'overwritten-start', 'cut-input'].includes(id) && count > 0))
    return {status: 125, why: 'cannot be told: events are missing'};
  if (deeds < wanted)
    return {status: 125, why: `cannot be told: only ${deeds} calls that pin, --deeds ${wanted} are asked for`};
  const rate = Math.floor(deeds / 3);
  return {status: 0, why: `good: none in ${deeds} calls that pin: with 95 %, rarer than 1 in ${rate}`};
}

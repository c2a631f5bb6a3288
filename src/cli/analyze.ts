/** `pinscope analyze`: options in, report out, exit status back. */
import {analyzeReading} from '../run/analyze.js';
import {answerOf} from '../run/answer.js';
import type {Reading} from '../run/reading.js';
import {chosenKeys} from '../findings/choose.js';
import {groupsOf} from '../findings/groups.js';
import {checkKnown} from './known.js';
import {selector} from '../findings/select.js';
import {UserError} from '../io/user-error.js';
import {REPORT_RENDERERS} from '../report/index.js';
import type {Report} from '../results/report.js';
import type {TraceOptions} from './base.js';
import {ExitCode, exitCodeOf} from './exit.js';
import {judging} from './judging.js';
import {produce} from './run.js';

export async function runAnalyze(options: TraceOptions, version: string, kallsyms?: string): Promise<ExitCode> {
  const judged = await judging(options, version, kallsyms);
  return produce({...options, kallsyms}, REPORT_RENDERERS[options.to], async (run) => {
    const {report, reading} = await analyzeReading({...judged, selected: selector(options), ...run}, () => []);
    if (report.partial === undefined) checkKnown(reading, options);
    const chosen = chosenOf(report, options);
    const {by} = options;
    if (by === 'page' || by === 'task' || by === 'file') report.groups = groupsOf(report.findings, by);
    const code = exitCodeOf(report, options);
    if (code === ExitCode.usage) throw nothingJudged(report, reading, options.from);
    return {result: report, code, shown: {chosen, ...(by === 'deed' ? {by} : {})}};
  });
}

/** The findings asked for by key. The streams for scripts hold these alone; forms for people show them in full. */
function chosenOf(report: Report, options: TraceOptions): string[] {
  const keys = chosenKeys(report.findings, options.chosen, '--finding');
  const {selection} = report;
  if (options.to !== 'json' && options.to !== 'ndjson') {
    selection.filters = selection.filters.filter(({flag}) => flag !== '--finding');
    return keys;
  }
  if (keys.length === 0) return keys;
  report.findings = report.findings.filter((finding) => keys.includes(finding.key));
  report.causes = report.causes.filter((cause) => report.findings.some((finding) => finding.cause === cause.id));
  selection.shown = report.findings.length;
  selection.left_out = selection.found - selection.shown;
  return keys;
}

/** Nothing that any rule could judge: one line instead of a report that says nothing fifteen times. */
function nothingJudged(report: Report, reading: Reading, from: string | undefined): UserError {
  const path = report.inputs.length === 1 ? report.inputs[0]!.path : `${report.inputs.length} traces`;
  const where = path === '-' ? 'standard input' : path;
  const unread = report.inputs.every(({events, unrecognised}) => events === 0 && unrecognised.count > 0);
  if (from !== undefined && unread)
    return new UserError(`read as --from ${from}, none of it is an event`, {where, next: 'leave --from out'});
  return new UserError(answerOf(reading) ?? 'holds none of the events that the rules asked for need', {
    where,
    next: 'pinscope info tells what is in it, and what each rule lacks',
  });
}

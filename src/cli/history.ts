/** `pinscope history`: the lives of some pages, whole. */
import {stat} from 'node:fs/promises';
import {analyze, type AnalyzeOptions} from '../run/analyze.js';
import {selector} from '../findings/select.js';
import {Followed} from '../readers/history/followed.js';
import {Recorder} from '../readers/history/recorder.js';
import {absentOf, pagesOf} from '../readers/history/report.js';
import {UserError} from '../io/user-error.js';
import type {Model} from '../ledger/model.js';
import {HISTORY_RENDERERS, type HistoryForm} from '../report/history/index.js';
import type {HistoryReport} from '../results/history.js';
import {nameHistory, readKallsyms} from '../report/symbols.js';
import type {Finding, Report} from '../results/report.js';
import type {TraceOptions} from './base.js';
import {ExitCode, readingCodeOf} from './exit.js';
import {judging} from './judging.js';
import {produce, type Run} from './run.js';
import type {Range} from './values.js';

/** Page frames of findings that are followed at once. */
const FOUND_MAX = 10_000;

export async function runHistory(
  options: TraceOptions<HistoryForm>,
  version: string,
  kallsyms?: string,
): Promise<ExitCode> {
  const asked = options.selection.pfn.length > 0;
  if (!asked) await checkRereadable(options.traces);
  const symbols = kallsyms === undefined ? undefined : await readKallsyms(kallsyms);
  const judged = {...(await judging(options, version)), kallsyms: symbols};
  return produce(options, HISTORY_RENDERERS[options.to], async (run) => {
    let ranges: readonly Range[] = options.selection.pfn;
    let cut = 0;
    if (!asked) {
      const report = await analyze({...judged, selected: selector(options), ...run});
      if (run.signal.aborted) {
        throw new UserError('stopped before the pages of the findings were read', {next: 'name pages with --pfn'});
      }
      ({ranges, cut} = framesOf(report.findings));
      if (ranges.length === 0) throw nothingFound(report);
    }
    const result = await recorded(judged, run, ranges, options, asked);
    if (symbols) nameHistory(result, symbols);
    if (cut > 0) {
      result.quality.push({
        id: 'pages-not-followed',
        severity: 'note',
        count: cut,
        message: `pages of findings beyond the first ${FOUND_MAX}, which are not shown`,
        advice: 'name them with --pfn',
      });
    }
    if (result.pages.length > 0 || result.partial !== undefined) return {result, code: readingCodeOf(result, options)};
    const remark = 'no event names any of these pages; PFNs in a trace are hexadecimal: write them with 0x';
    return {result, code: ExitCode.usage, remark};
  });
}

async function recorded(
  judged: Omit<AnalyzeOptions, 'selected' | 'signal' | 'onOpen'>,
  run: Run,
  ranges: readonly Range[],
  options: TraceOptions<HistoryForm>,
  asked: boolean,
): Promise<HistoryReport> {
  const followed = new Followed(ranges);
  let recorder!: Recorder;
  let model!: Model;
  const report = await analyze({
    ...judged,
    // Findings are numbered as `pinscope analyze` with the same flags but --pfn does.
    selected: selector({...options, selection: {...options.selection, pfn: []}}),
    ...run,
    recorder: (m) => {
      model = m;
      return (recorder = new Recorder(m, followed));
    },
  });
  const {tool, command, inputs, clock, span, kernel, quality, timing, partial} = report;
  if (recorder.notKept > 0) {
    quality.push({
      id: 'happenings-not-kept',
      severity: 'warning',
      count: recorder.notKept,
      message: 'changes of these pages beyond the most that are kept: their histories end early',
      advice: 'follow fewer pages',
    });
  }
  return {
    schema: 'pinscope.history/2',
    tool,
    command,
    inputs,
    clock,
    span,
    kernel,
    quality,
    pages: pagesOf(model, recorder, report.findings, asked),
    absent: absentOf(model, recorder, followed),
    timing,
    ...(partial === undefined ? {} : {partial}),
  };
}

/** The page frames of findings, the important findings first. */
function framesOf(findings: readonly Finding[]): {ranges: Range[]; cut: number} {
  const ranges: Range[] = [];
  const seen = new Set<string>();
  let cut = 0;
  for (const {pages} of findings) {
    for (const {pfn, order} of pages) {
      const key = `${pfn}.${order}`;
      if (seen.has(key)) continue;
      seen.add(key);
      if (ranges.length >= FOUND_MAX) cut++;
      else ranges.push({first: Number(pfn), last: Number(pfn) + 2 ** order - 1});
    }
  }
  return {ranges, cut};
}

/** Without --pfn the input is read twice: once for the findings, once for the lives of their pages. */
async function checkRereadable(traces: readonly string[]): Promise<void> {
  const next = 'name the pages with --pfn, or put the trace into a file';
  const why = 'without --pfn the trace is read twice, which a pipe cannot be';
  if (traces.length === 0 || traces.includes('-')) throw new UserError(why, {where: 'standard input', next});
  for (const trace of traces) {
    // what cannot be opened is told by reading it
    const there = await stat(trace).catch(() => undefined);
    if (there && (there.isFIFO() || there.isSocket() || there.isCharacterDevice()))
      throw new UserError(why, {where: trace, next});
  }
}

function nothingFound(report: Report): UserError {
  const ran = report.rules.some((rule) => rule.status !== 'not-run');
  return new UserError(ran ? 'there is no finding whose pages could be shown' : 'no rule could judge this trace', {
    next: 'name pages with --pfn',
  });
}

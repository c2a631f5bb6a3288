/** `pinscope history`: the lives of some pages, whole. */
import {stat} from 'node:fs/promises';
import {analyzeReading, type AnalyzeOptions} from '../run/analyze.js';
import {chosenKeys} from '../findings/choose.js';
import {checkKnown, hexHint} from './known.js';
import {selector} from '../findings/select.js';
import {Followed} from '../readers/history/followed.js';
import {type ChangeKind, marked, narrowAround, narrowTo, narrowToKinds} from '../readers/history/narrow.js';
import {absentOf, pagesOf} from '../readers/history/report.js';
import {UserError} from '../io/user-error.js';
import {HISTORY_RENDERERS, type HistoryForm} from '../report/history/index.js';
import type {HistoryReport} from '../results/history.js';
import type {Finding, Report} from '../results/report.js';
import type {TraceOptions} from './base.js';
import {ExitCode, readingCodeOf} from './exit.js';
import {judging} from './judging.js';
import {produce, type Run} from './run.js';
import type {Range} from '../base/selection.js';

/** Page frames of findings that are followed at once. */
const FOUND_MAX = 10_000;

/** `around`: the key of a finding, or how it begins; `only`: kinds of changes, none for all. */
export type HistoryOptions = TraceOptions<HistoryForm> & {around: string | undefined; only: readonly ChangeKind[]};

export async function runHistory(options: HistoryOptions, version: string, kallsyms?: string): Promise<ExitCode> {
  const asked = options.selection.pfn.length > 0;
  checkFilters(options);
  if (!asked) await checkRereadable(options.traces);
  const judged = await judging(options, version, kallsyms);
  return produce({...options, kallsyms}, HISTORY_RENDERERS[options.to], async (run) => {
    let ranges: readonly Range[] = options.selection.pfn;
    let cut = 0;
    let around: Finding | undefined;
    if (!asked) {
      const {report, reading} = await analyzeReading({...judged, selected: choosing(options), ...run}, () => []);
      if (run.signal.aborted) {
        throw new UserError('stopped before the pages of the findings were read', {next: 'name pages with --pfn'});
      }
      checkKnown(reading, options);
      if (options.around !== undefined) around = findingOf(report, options.around);
      ({ranges, cut} = framesOf(around === undefined ? report.findings : [around]));
      if (ranges.length === 0) throw nothingFound(report, options);
    }
    const result = await recorded(judged, run, ranges, options, asked);
    const seen = result.pages;
    narrow(result, options, around);
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
    const remark =
      seen.length > 0
        ? `no change of these pages is within ${withinText(options)}`
        : `no event names any of these pages${hexHint(options.filters)}`;
    return {result, code: ExitCode.usage, remark};
  });
}

/** Which findings are told: where the pages are named, all, for the filters then are about single changes. */
function choosing(options: HistoryOptions): (finding: Finding) => boolean {
  const {selection, around} = options;
  if (around === undefined && selection.pfn.length === 0) return selector(options);
  const none = {pfn: [], time: undefined, pid: [], comm: [], cpu: [], device: [], inode: []};
  return selector({...options, selection: none});
}

/** Filters of single changes: they restrict what is shown of pages that are named already. */
const OF_CHANGES = ['--time', '--pid', '--comm', '--cpu', '--device'];

/** The other filters choose findings: where the pages are named, by --pfn or by one finding, they would do nothing. */
function checkFilters({around, filters, selection}: HistoryOptions): void {
  const named = around !== undefined ? '--around' : selection.pfn.length > 0 ? '--pfn' : '';
  if (named === '') return;
  const idle = filters.filter(({flag}) => flag !== named && !OF_CHANGES.includes(flag)).map(({flag}) => flag);
  if (idle.length === 0) return;
  const flags = idle.join(', ');
  const why =
    named === '--pfn'
      ? 'chooses among findings, and --pfn names the pages'
      : 'does nothing: --around names one finding';
  throw new UserError(`${flags} with ${named} ${why}`, {next: `leave out ${flags} or ${named}`});
}

function withinText({around, filters}: HistoryOptions): string {
  const typed = filters.filter(({flag}) => flag !== '--pfn').map(({flag, value}) => `${flag} ${value}`);
  return [...(around === undefined ? [] : [`--around ${around}`]), ...typed].join(' ');
}

function findingOf(report: Report, key: string): Finding {
  const [full] = chosenKeys(report.findings, [key], '--around');
  return report.findings.find((finding) => finding.key === full)!;
}

/** Leaves in what was asked for, and tells what that was. Without --pfn and --around only --time is about single changes. */
function narrow(result: HistoryReport, options: HistoryOptions, around: Finding | undefined): void {
  const {time, pid, comm, cpu, device, pfn} = options.selection;
  const before = result.pages.length;
  if (around !== undefined) {
    const {id, key, rule, severity, verdict, message} = around;
    result.around = {id, key, rule, severity, verdict, message};
    result.pages = narrowAround(result.pages, around);
  }
  const named = around !== undefined || pfn.length > 0;
  const wanted = named ? {time, pid, comm, cpu, device} : {time, pid: [], comm: [], cpu: [], device: []};
  if (time !== undefined || (named && pid.length + comm.length + cpu.length + device.length > 0))
    result.pages = narrowTo(result.pages, wanted, around !== undefined);
  if (options.only.length > 0) {
    result.pages = narrowToKinds(result.pages, options.only);
    result.only = [...options.only];
  }
  const filters = options.filters.filter(({flag}) => flag !== '--pfn');
  if (named) result.named = true;
  if (filters.length > 0) result.filters = filters;
  const count = before - result.pages.length;
  if (count === 0) return;
  result.quality.push({
    id: 'pages-left-out',
    severity: 'note',
    count,
    message: 'pages without a change that was asked for, which are not shown',
    advice: 'name them with --pfn',
  });
}

async function recorded(
  judged: Omit<AnalyzeOptions, 'selected' | 'signal' | 'onOpen'>,
  run: Run,
  ranges: readonly Range[],
  options: HistoryOptions,
  asked: boolean,
): Promise<HistoryReport> {
  const followed = new Followed(ranges);
  const {report, reading} = await analyzeReading(
    {...judged, ...run, selected: choosing(options), follow: followed},
    () => [],
  );
  // pages that are not there are told one by one
  if (asked && report.partial === undefined)
    checkKnown(reading, {...options, selection: {...options.selection, pfn: []}});
  const {tool, command, inputs, clock, span, kernel, quality, timing, partial} = report;
  const {ledger} = reading;
  if (ledger.book.lives.notKept > 0) {
    quality.push({
      id: 'happenings-not-kept',
      severity: 'warning',
      count: ledger.book.lives.notKept,
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
    pages: marked(pagesOf(ledger, report.findings, asked), options.around === undefined ? report.findings : []),
    absent: absentOf(ledger, followed),
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

function nothingFound(report: Report, {around, filters}: HistoryOptions): UserError {
  const typed = filters.map(({flag, value}) => `${flag} ${value}`).join(' ');
  const within = around !== undefined || typed === '' ? '' : ` within ${typed}`;
  const ran = report.rules.some((rule) => rule.status !== 'not-run');
  if (around !== undefined && ran)
    return new UserError(`finding ${around} is of no page: the trace has no mapping of its address`, {
      next: `pinscope analyze --finding ${around} shows its lines; name pages with --pfn`,
    });
  return new UserError(
    ran ? `there is no finding${within} whose pages could be shown` : 'no rule could judge this trace',
    {
      next: 'name pages with --pfn',
    },
  );
}

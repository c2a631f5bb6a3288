/** `--to table`: the terminal. Plain ASCII layout, colour only where it means something, the important first. */
import {printable} from '../words/clean.js';
import {
  evidenceHead,
  evidenceRuns,
  evidenceText,
  leftText,
  restText,
  factLines,
  facts,
  historyLines,
  stackBlock,
} from './finding-text.js';
import {bytes, chop, clip, counted, duration, frames, number, pageList, task, time, wrap} from '../words/format.js';
import {paint, type Paint} from './paint.js';
import {drawRace} from './race.js';
import {shownCount, type Renderer} from './render.js';
import {textTable} from './text-table.js';
import type {Finding, Report} from '../results/report.js';
import {
  nothingFound,
  clockText,
  cutText,
  kernelText,
  lookedAt,
  partly,
  advice,
  unrun,
  verdictLine,
} from '../words/words.js';

const USUAL_LIMIT = 20;
/** Up to so many findings are all shown in full. */
const ALL_IN_FULL = 3;

export const renderTable: Renderer<Report> = function* (report, options) {
  const width = Math.max(76, Math.min(options.width, 200));
  const color = paint(options.color);
  yield* lines(whatWasRead(report, width, color));
  const shown = shownCount(options, USUAL_LIMIT, report.findings.length);
  const full = report.findings.length <= ALL_IN_FULL ? shown : Math.min(1, shown);
  for (const finding of report.findings.slice(0, full)) {
    yield '\n';
    yield* lines(inFull(report, finding, width, color));
  }
  const folded = report.findings.slice(full, shown);
  if (folded.length > 0) {
    yield '\n';
    yield* lines(foldedTable(folded, width, color));
  }
  const hidden = report.findings.length - shown;
  if (hidden > 0) yield `\n  ${cutText(hidden)}\n`;
  if (folded.length > 0) {
    const first = folded[0]?.pages[0]?.pfn;
    if (first !== undefined) yield `  In full: add --pfn ${first} (or any page above), or --to mail.\n`;
  }
  if (report.findings.length === 0) yield* lines(['', ...wrap(nothingFound(report), width)]);
  yield* lines(nearMisses(report, width));
  yield* lines(notRun(report, width, color));
  yield '\n';
  yield `${verdictColour(report, color)}\n`;
};

function* lines(list: string[]): Iterable<string> {
  for (const line of list) yield `${line}\n`;
}

function whatWasRead(report: Report, width: number, color: Paint): string[] {
  const list: [string, string][] = [];
  for (const input of report.inputs) {
    const packed = input.compression === 'none' ? '' : `, ${input.compression}`;
    const path = printable(input.path);
    list.push([
      'read',
      `${path === '-' ? 'standard input' : path}: ${input.format}${packed}, ${bytes(input.bytes)}, ${counted(input.lines, 'line')}, ${counted(input.events, 'event')}`,
    ]);
    if (input.cut !== undefined) list.push(['cut', printable(input.cut)]);
    if (input.unrecognised.count > 0) {
      const first = input.unrecognised.first[0];
      const example =
        first === undefined ? '' : `, the first is line ${first.line}: ${clip(printable(first.text.trim()), 60)}`;
      list.push(['not understood', `${counted(input.unrecognised.count, 'line')}${example}`]);
    }
  }
  list.push(['clock', clockText(report)]);
  list.push(['kernel', printable(kernelText(report))]);
  const counters = report.quality.filter((counter) => counter.count > 0);
  for (const counter of counters) {
    const where = counter.cpu === undefined ? '' : ` on CPU ${counter.cpu}`;
    list.push([
      counter.severity,
      printable(`${counter.message}${where}: ${number(counter.count)}${advice(counter.advice)}`.trim()),
    ]);
  }
  if (counters.length === 0) list.push(['losses', 'the trace tells of none']);
  if (report.partial !== undefined) list.push(['stopped', printable(report.partial)]);
  list.push(['seen', lookedAt(report)]);
  return [color.strong(`pinscope ${report.tool.version}`), ...factLines(list, width, '  ')];
}

function headline(finding: Finding, color: Paint): string {
  const verdict = finding.verdict === 'sure' ? 'sure' : 'only possible';
  return `${color.strong(finding.id)}  ${color.severity(finding.severity, finding.severity)}  ${color.strong(finding.rule)}  (${verdict})`;
}

function inFull(report: Report, finding: Finding, width: number, color: Paint): string[] {
  const out = [headline(finding, color), ...wrap(printable(finding.message), width, '  '), ''];
  out.push(...factLines(facts(finding, width >= 120 ? 12 : 6), width, '  '));
  if (finding.stacks.length > 0) out.push('', ...stackBlock(finding, '  '));
  const race = drawRace(finding, Math.min(width - 2, 110));
  if (race.length > 0) out.push('', ...race.map((line) => `  ${line}`));
  const first = finding.pages[0];
  if (finding.history.length > 0 && first !== undefined) {
    out.push('', `  History of pfn ${first.pfn} (p: pins)`, ...historyLines(finding.history, width, '  '));
  }
  if (finding.evidence.length > 0) out.push('', '  Deciding lines');
  const {runs, left} = evidenceRuns(finding);
  for (const run of runs) {
    for (const at of run.shown) {
      out.push(`  ${color.faint(evidenceHead(report, finding, at))}`);
      const text = evidenceText(finding.evidence[at]?.text ?? '').trimStart();
      out.push(...chop(text, width - 6).map((piece, part) => `    ${part === 0 ? '' : '  '}${piece}`));
    }
    if (run.rest.length > 0) out.push(...wrap(restText(finding, run.rest), width, '      ', '    '));
  }
  if (left > 0) out.push(...wrap(leftText(left), width, '    ', '  '));
  return out;
}

/** Other findings, a line or two each: the sentence where there is room, else page, time and task. */
function foldedTable(findings: Finding[], width: number, color: Paint): string[] {
  const pagesWidth = width >= 120 ? 30 : 10;
  const rule = Math.max(4, ...findings.map((finding) => finding.rule.length));
  const id = Math.max(2, ...findings.map((finding) => finding.id.length));
  const when = Math.max(4, ...findings.map((finding) => time(finding.start_ns, finding.start_ticks).length));
  const used = 2 + id + 2 + 8 + 2 + rule + 2 + 5 + 2 + pagesWidth + 2 + when + 2;
  const rest = width - used;
  const columns = [
    {head: ''.padEnd(id), width: id},
    {head: 'severity', width: 8},
    {head: 'rule', width: rule},
    {head: 'pages', width: 5, right: true},
    {head: 'first pfn', width: pagesWidth},
    {head: 'at', width: when},
    ...(rest >= 9 ? [{head: rest >= 40 ? 'what' : 'task', width: rest}] : []),
  ];
  const rows = findings.map((finding) => {
    const who = finding.tasks.at(-1);
    const last = rest >= 40 ? finding.message : who === undefined ? '-' : task(who.comm, who.pid);
    const severity = `${finding.severity}${finding.verdict === 'possible' ? '?' : ''}`;
    return [
      finding.id,
      color.severity(finding.severity, severity),
      finding.rule,
      number(frames(finding.pages)),
      clip(width >= 120 ? pageList(finding.pages, 2) : (finding.pages[0]?.pfn ?? '-'), pagesWidth),
      time(finding.start_ns, finding.start_ticks),
      ...(rest >= 9 ? [clip(printable(last), rest)] : []),
    ];
  });
  const table = textTable(columns, rows);
  if (findings.some((finding) => finding.verdict === 'possible'))
    table.push('  (? only possible: something the trace lacks could explain it away)');
  return table;
}

function nearMisses(report: Report, width: number): string[] {
  if (report.near_misses.length === 0) return [];
  const rows = report.near_misses.map((miss) => [
    miss.what,
    printable(miss.device ?? '-'),
    number(miss.count),
    duration(miss.min_ns),
    duration(miss.p1_ns),
    duration(miss.p50_ns),
    `${miss.at.pfn} line ${miss.at.line}`,
  ]);
  const columns = [
    {head: 'from .. to', width: width >= 120 ? undefined : 20},
    {head: 'device', width: width >= 120 ? undefined : 12},
    {head: 'times', right: true},
    {head: 'closest', right: true},
    {head: '1 %', right: true},
    {head: 'median', right: true},
    ...(width >= 100 ? [{head: 'closest at'}] : []),
  ];
  const kept = width >= 100 ? rows : rows.map((row) => row.slice(0, 6));
  return ['', 'How close the good cases came', ...textTable(columns as {head: string; width?: number}[], kept)];
}

function notRun(report: Report, width: number, color: Paint): string[] {
  const missing = unrun(report);
  const half = partly(report);
  if (missing.length + half.length === 0) return [];
  const out = [
    '',
    missing.length > 0
      ? color.strong(`Not judged: ${counted(missing.length, 'rule')} could not run`)
      : 'Judged in part',
  ];
  for (const rule of [...missing, ...half]) {
    const what = rule.status === 'partial' ? ' in part' : '';
    const lacks = rule.missing.length > 0 ? `lacks ${rule.missing.join(', ')}` : '';
    out.push(...wrap(printable(`${rule.id}${what}: ${lacks}${advice(rule.advice)}`), width, '      ', '  '));
  }
  return out;
}

function verdictColour(report: Report, color: Paint): string {
  const text = verdictLine(report);
  if (report.summary.by_severity.error > 0) return color.bad(text);
  if (report.summary.by_severity.warning > 0) return color.severity('warning', text);
  return unrun(report).length === 0 && report.partial === undefined ? color.good(text) : text;
}

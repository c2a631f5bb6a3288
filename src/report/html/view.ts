/**
 * What the page shows, laid out in advance: the page's own script only draws. All text is made printable here, and
 * times become offsets from a base, small enough to be exact in the page's numbers.
 */
import {nounOf} from '../../words/place.js';
import {printable, untabbed} from '../../words/clean.js';
import {change, facts, evidenceHead, proofLines} from '../finding-text.js';
import {
  between,
  bytes,
  counted,
  decoded,
  duration,
  frames,
  number,
  pageRuns,
  span,
  task,
  time,
} from '../../words/format.js';
import {answer, causeTitle, causeWho, lacksOf} from '../../words/causes.js';
import {drawRace} from '../race.js';
import {stackLines, trimmed} from '../stacks.js';
import type {Finding, Report, Severity} from '../../results/report.js';
import {
  baseName,
  byLabel,
  clockText,
  commandText,
  cutText,
  decidingEvidence,
  endText,
  kernelText,
  lookedAt,
  mark,
  repeatable,
  advice,
} from '../../words/words.js';

export interface PageView {
  version: string;
  verdict: string;
  facts: [string, string][];
  counts: Record<Severity, number>;
  /** id, severity, what, found, pages, sure, who, worst, key */
  causes: string[][];
  findings: FindingView[];
  /** how many findings are not in the page, in words; null when all are */
  cut: string | null;
  near_misses: string[][];
  /** what the trace does not show, the rules not judged for it, those judged in part, how to have it */
  lacks: string[][];
  command: string;
}

export interface FindingView {
  id: string;
  key: string;
  cause: string;
  proof: string[];
  rule: string;
  severity: Severity;
  verdict: string;
  message: string;
  device: string | null;
  tasks: string[];
  /** page runs, to show and to search in */
  runs: string[];
  page_count: number;
  /** the first pages with their own times, where there are several */
  pages: string[][];
  when: string;
  facts: [string, string][];
  stacks: {label: string; lines: string[]}[];
  race: string[];
  mark: string;
  evidence: {head: string; text: string; at: number | null; deciding: boolean}[];
  history: string[][];
  drawing: Drawing | null;
}

/** The timeline: spans on an axis of ns (or of trace lines, where the clock only counts), as offsets from `base`. */
export interface Drawing {
  axis: 'time' | 'line';
  /** what offset 0 is: ns of the trace's clock, or a line number */
  base: string;
  /** page that is drawn */
  pfn: string;
  from: number;
  to: number;
  spans: {kind: string; label: string; from: number; to: number; open: boolean; text: string}[];
  moments: {at: number; label: string; deciding: boolean}[];
}

const MOST_PAGES_SHOWN = 64;
const RACE_WIDTH = 88;

export function pageView(report: Report, shown: number): PageView {
  const hidden = report.findings.length - shown;
  return {
    version: report.tool.version,
    verdict: answer(report).join(' '),
    facts: reportFacts(report).map(([label, text]) => [label, printable(text)]),
    counts: report.summary.by_severity,
    causes: report.causes.map((cause) =>
      [
        cause.id,
        cause.severity,
        causeTitle(cause),
        number(cause.findings),
        number(cause.pages),
        number(cause.sure),
        causeWho(cause),
        cause.worst.distance_ns === null ? '' : duration(cause.worst.distance_ns),
        cause.worst.key,
      ].map(printable),
    ),
    findings: report.findings.slice(0, shown).map((finding) => findingView(report, finding)),
    cut: hidden > 0 ? cutText(hidden) : null,
    near_misses: report.near_misses.map((miss) =>
      [
        miss.what,
        miss.device ?? '-',
        number(miss.count),
        duration(miss.min_ns),
        duration(miss.p1_ns),
        duration(miss.p50_ns),
        `${miss.at.pfn}, ${nounOf(report.inputs[miss.at.input])} ${miss.at.line}`,
      ].map(printable),
    ),
    lacks: lacksOf(report).map(({what, rules, partly, record}) =>
      [what, rules.join(', '), partly.map(({rule}) => rule).join(', '), record].map(printable),
    ),
    command: printable(commandText(repeatable(report))),
  };
}

function reportFacts(report: Report): [string, string][] {
  const list: [string, string][] = [];
  for (const input of report.inputs) {
    const packed = input.compression === 'none' ? '' : `, ${input.compression}`;
    list.push(['input', `${baseName(input.path)}: ${input.format}${packed}`]);
    list.push(['', `${bytes(input.bytes)}, ${counted(input.lines, nounOf(input))}, ${counted(input.events, 'event')}`]);
    if (input.sha256 !== undefined) list.push(['sha256', input.sha256]);
    if (input.evidence.length > 0) list.push(['known by', input.evidence.join('; ')]);
    if (input.cut !== undefined) list.push(['cut', input.cut]);
    if (input.unrecognised.count > 0) {
      const first = input.unrecognised.first[0];
      const example = first === undefined ? '' : `, the first is ${nounOf(input)} ${first.line}: ${first.text.trim()}`;
      list.push(['not understood', `${counted(input.unrecognised.count, nounOf(input))}${example}`]);
    }
  }
  list.push(['clock', clockText(report)], ['kernel', kernelText(report)]);
  const counters = report.quality.filter((counter) => counter.count > 0);
  for (const counter of counters) {
    const cpu = counter.cpu === undefined ? '' : ` on CPU ${counter.cpu}`;
    list.push([counter.severity, `${counter.message}${cpu}: ${number(counter.count)}${advice(counter.advice)}`]);
  }
  if (counters.length === 0) list.push(['losses', 'the trace tells of none']);
  if (report.partial !== undefined) list.push(['stopped', report.partial]);
  list.push(['seen', lookedAt(report)]);
  return list;
}

function findingView(report: Report, finding: Finding): FindingView {
  const deciding = decidingEvidence(finding);
  const drawing = drawingOf(finding, deciding);
  return {
    id: finding.id,
    key: finding.key,
    cause: finding.cause,
    proof: proofLines(finding, RACE_WIDTH, ''),
    rule: printable(finding.rule),
    severity: finding.severity,
    verdict: finding.verdict === 'sure' ? 'sure' : 'only possible',
    message: printable(finding.message),
    device: finding.device === undefined ? null : printable(finding.device),
    tasks: [...new Set(finding.tasks.map((who) => printable(task(who.comm, who.pid))))],
    runs: pageRuns(finding.pages),
    page_count: frames(finding.pages),
    pages:
      finding.pages.length < 2
        ? []
        : finding.pages
            .slice(0, MOST_PAGES_SHOWN)
            .map((page) => [page.pfn, String(page.order), span(page), number(page.occurrences)]),
    when: time(finding.start_ns, finding.start_ticks),
    facts: facts(report, finding, 24).map(([label, text]) => [label, printable(text)]),
    stacks: trimmed(finding.stacks).map((stack) => ({
      label: printable(byLabel(stack.role)),
      lines: stackLines(stack).map(printable),
    })),
    race: drawRace(finding, RACE_WIDTH),
    mark: mark(finding.rule),
    evidence: finding.evidence.map((item, at) => ({
      head: evidenceHead(report, finding, at),
      text: printable(untabbed(item.text)).trimStart(),
      at: drawing === null ? null : offset(drawing, item.t_ns ?? null, item.line),
      deciding: at === deciding,
    })),
    history: finding.history.map((entry) =>
      [
        time(entry.t_ns, entry.t_ticks),
        entry.cpu === null ? '' : String(entry.cpu),
        entry.task === null ? '' : task(entry.task, entry.pid),
        change(entry),
        entry.known_by ?? '',
        entry.counts === null ? '' : decoded(entry.counts),
        entry.line > 0 ? String(entry.line) : '',
        entry.note ?? '',
      ].map(printable),
    ),
    drawing,
  };
}

function drawingOf(finding: Finding, deciding: number): Drawing | null {
  const timed = finding.windows.filter((window) => window.start_ns !== null);
  const axis = timed.length > 0 || finding.evidence.some((item) => item.t_ns !== undefined) ? 'time' : 'line';
  const points: bigint[] = [];
  for (const window of finding.windows) {
    const ends = axis === 'time' ? [window.start_ns, window.end_ns] : [window.start_line, window.end_line];
    for (const end of ends) if (end !== null) points.push(BigInt(end));
  }
  // a deed done again later would squeeze the first time, which is drawn, into a few pixels
  const deciding_ns = finding.evidence[deciding]?.t_ns;
  if (axis === 'time' && deciding_ns !== undefined) points.push(BigInt(deciding_ns));
  for (const item of points.length > 1 ? [] : finding.evidence) {
    if (axis === 'line') points.push(BigInt(item.line));
    else if (item.t_ns !== undefined) points.push(BigInt(item.t_ns));
  }
  const first = points[0];
  if (first === undefined) return null;
  const base = points.reduce((least, point) => (point < least ? point : least), first);
  const last = points.reduce((most, point) => (point > most ? point : most), first);
  const drawing: Drawing = {
    axis,
    base: base.toString(),
    pfn: finding.pages[0]?.pfn ?? '?',
    from: 0,
    to: Number(last - base),
    spans: [],
    moments: [],
  };
  for (const window of finding.windows) {
    const from = offset(drawing, window.start_ns, window.start_line);
    if (from === null) continue;
    const open = window.end_ns === null && window.end_line === null;
    const to = open ? drawing.to : (offset(drawing, window.end_ns, window.end_line) ?? drawing.to);
    const lines =
      window.end_line === null
        ? `line ${window.start_line ?? '?'}`
        : `lines ${window.start_line ?? '?'} to ${window.end_line}`;
    const times = axis === 'time' ? ` ${span({start_ns: window.start_ns, end_ns: window.end_ns})},` : '';
    const text = `${window.label}:${times} ${lines}${open ? `, ${endText(window.end_known)}` : ''}`;
    const length = axis === 'time' ? between(window.start_ns, window.end_ns) : null;
    const label = length === null ? window.label : `${window.label}, ${length}`;
    drawing.spans.push({
      kind: window.kind,
      label: printable(label),
      from,
      to,
      open,
      text: printable(text),
    });
  }
  for (const [at, item] of finding.evidence.entries()) {
    const where = offset(drawing, item.t_ns ?? null, item.line);
    if (where !== null && where >= 0 && where <= drawing.to)
      drawing.moments.push({at: where, label: printable(item.role), deciding: at === deciding});
  }
  return drawing;
}

function offset(drawing: Pick<Drawing, 'axis' | 'base'>, ns: string | null, line: number | null): number | null {
  const point = drawing.axis === 'time' ? ns : line;
  return point === null ? null : Number(BigInt(point) - BigInt(drawing.base));
}

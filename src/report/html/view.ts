/**
 * What the page shows, laid out in advance: the page's own script only draws. All text is made printable here, and
 * times become offsets from a base, small enough to be exact in the page's numbers.
 */
import {nounOf, nounOfFinding} from '../../words/place.js';
import {printable, untabbed} from '../../words/clean.js';
import {commandOn, linesCommand, queryCommand, savedCommand} from '../../words/commands.js';
import {evidenceHead} from '../finding-evidence.js';
import {change} from '../finding-history.js';
import {facts, premisesOf} from '../finding-text.js';
import {defectText} from '../../words/defects.js';
import {bytes, counted, decoded, duration, frames, number, pageRuns, span, task, time} from '../../words/format.js';
import {answer, causeTitle, causeWhen, causeWho, lacksOf, nearMissPlace} from '../../words/causes.js';
import {drawRace} from '../race.js';
import {stackLines, trimmed} from '../stacks.js';
import {pictureOf, type Picture} from './picture.js';
import type {Finding, Report, Severity} from '../../results/report.js';
import {
  baseName,
  byLabel,
  clockText,
  commandText,
  cutText,
  decidingEvidence,
  kernelText,
  lookedAt,
  repeatable,
  advice,
} from '../../words/words.js';

export interface PageView {
  version: string;
  /** names of the traces */
  traces: string;
  /** the answer, then what it rests on */
  verdict: string[];
  facts: [string, string][];
  counts: Record<Severity, number>;
  /** of the whole report, and how many of them this file holds */
  found: number;
  causes: CauseView[];
  /** the whole trace: what offset 0 of the findings' moments is, and how long it lasts; null where nothing has a time */
  overview: {base: string; to: number; unit: 'ns' | 'ticks'} | null;
  findings: FindingView[];
  /** how many findings are not in the page, in words; null when all are */
  cut: string | null;
  near_misses: string[][];
  /** what the trace does not show, the rules not judged for it, those judged in part, how to have it */
  lacks: string[][];
  command: string;
  query: string;
}

export interface CauseView {
  id: string;
  severity: Severity;
  title: string;
  who: string;
  found: string;
  pages: string;
  sure: string;
  worst: string;
  key: string;
}

export interface FindingView {
  id: string;
  key: string;
  cause: string;
  rule: string;
  severity: Severity;
  verdict: string;
  message: string;
  device: string | null;
  tasks: string[];
  /** offset of its moment in the trace; null where it has none */
  at: number | null;
  /** between its deciding events, to sort by, and in words */
  distance: number;
  far: string;
  /** page runs, to show and to search in */
  runs: string[];
  page_count: number;
  /** the first pages, each with its own times and picture */
  pages: {pfn: string; order: string; when: string; times: string; picture: Picture | null}[];
  when: string;
  facts: [string, string][];
  stacks: {label: string; lines: string[]}[];
  race: string[];
  /** premise, what it says, `line 3641` or why it is not proven; whether it is proven */
  proof: {premise: string; says: string; by: string; why: string | null}[];
  evidence: {head: string; line: number; text: string; deciding: boolean; sed: string | null}[];
  history: string[][];
  /** what to type to see it: what for, and the command */
  commands: [string, string][];
}

const MOST_PAGES_SHOWN = 64;
const RACE_WIDTH = 88;

export function pageView(report: Report, shown: number): PageView {
  const hidden = report.findings.length - shown;
  return {
    version: report.tool.version,
    traces: printable(report.inputs.map(({path}) => baseName(path)).join(', ')),
    verdict: answer(report).map(printable),
    facts: reportFacts(report).map(([label, text]) => [label, printable(text)]),
    counts: report.summary.by_severity,
    found: report.findings.length,
    causes: report.causes.map((cause) => ({
      id: cause.id,
      severity: cause.severity,
      title: printable(causeTitle(cause)),
      who: [printable(causeWho(cause)), causeWhen(cause)].filter((text) => text !== '').join('; '),
      found: number(cause.findings),
      pages: number(cause.pages),
      sure: number(cause.sure),
      worst:
        cause.worst.distance_ns === null || cause.worst.distance_ns === '0' ? '' : duration(cause.worst.distance_ns),
      key: cause.worst.key,
    })),
    overview: overviewOf(report),
    findings: report.findings.slice(0, shown).map((finding) => findingView(report, finding)),
    cut: hidden > 0 ? cutText(hidden) : null,
    near_misses: report.near_misses.map((miss) =>
      [
        [miss.what, ...nearMissPlace(miss, report.near_misses)].join(', '),
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
    query: printable(commandOn(report, ['query', '--saved', 'causes'])),
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
    if (input.unrecognised.count > 0) {
      const first = input.unrecognised.first[0];
      const example = first === undefined ? '' : `, the first is ${nounOf(input)} ${first.line}: ${first.text.trim()}`;
      list.push(['not understood', `${counted(input.unrecognised.count, nounOf(input))}${example}`]);
    }
  }
  list.push(['clock', clockText(report)], ['kernel', kernelText(report)]);
  for (const counter of report.quality)
    list.push([counter.severity, `${defectText(counter)}${advice(counter.advice)}`]);
  if (report.quality.length === 0) list.push(['losses', 'the trace tells of none']);
  if (report.partial !== undefined) list.push(['stopped', report.partial]);
  list.push(['seen', lookedAt(report)]);
  return list;
}

function overviewOf({span, clock}: Report): PageView['overview'] {
  const unit = clock.unit === 'ticks' ? 'ticks' : 'ns';
  const start = span.start_ns ?? span.start_ticks;
  const end = span.end_ns ?? span.end_ticks;
  if (start === undefined || end === undefined || BigInt(end) <= BigInt(start)) return null;
  return {base: start, to: Number(BigInt(end) - BigInt(start)), unit};
}

function findingView(report: Report, finding: Finding): FindingView {
  const deciding = decidingEvidence(finding);
  const base = report.span.start_ns ?? report.span.start_ticks;
  const at = finding.at_ns ?? finding.at_ticks ?? finding.start_ns ?? finding.start_ticks;
  const [first] = finding.pages;
  const model = first === undefined ? null : pictureOf(report, finding, first, null);
  return {
    id: finding.id,
    key: finding.key,
    cause: finding.cause,
    rule: printable(finding.rule),
    severity: finding.severity,
    verdict: finding.verdict === 'sure' ? 'sure' : 'only possible',
    message: printable(finding.message),
    device: finding.device === undefined ? null : printable(finding.device),
    tasks: [...new Set(finding.tasks.map((who) => printable(task(who.comm, who.pid))))],
    at:
      at === undefined || at === null || base === undefined || base === null ? null : Number(BigInt(at) - BigInt(base)),
    distance: finding.distance_ns === null ? -1 : Number(finding.distance_ns),
    far: finding.distance_ns === null || finding.distance_ns === '0' ? '' : duration(finding.distance_ns),
    runs: pageRuns(finding.pages),
    page_count: frames(finding.pages),
    pages: finding.pages.slice(0, MOST_PAGES_SHOWN).map((page) => ({
      pfn: page.pfn,
      order: String(page.order),
      when: span(page),
      times: number(page.occurrences),
      picture: page === first ? model : pictureOf(report, finding, page, model),
    })),
    when: time(finding.start_ns, finding.start_ticks),
    facts: facts(report, finding, 24).map(([label, text]) => [label, printable(text)]),
    stacks: trimmed(finding.stacks).map((stack) => ({
      label: printable(byLabel(stack.role)),
      lines: stackLines(stack).map(printable),
    })),
    race: drawRace(finding, RACE_WIDTH),
    proof: premisesOf(finding).map(({premise, says, proven, by, why}) => ({
      premise: printable(premise),
      says: printable(says),
      by:
        by.length === 0
          ? ''
          : `${nounOfFinding(finding)}${by.length === 1 ? '' : 's'} ${by.map(({line}) => line).join(', ')}`,
      why: proven ? null : printable(why ?? ''),
    })),
    evidence: finding.evidence.map((item, index) => {
      const sed = linesCommand(report.inputs[item.input], [item.line]);
      return {
        head: evidenceHead(report, finding, index),
        line: item.line,
        text: printable(untabbed(item.text)).trimStart(),
        deciding: index === deciding,
        sed: sed === null ? null : printable(sed),
      };
    }),
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
    commands: commandsOf(report, finding).map(([what, command]) => [what, printable(command)]),
  };
}

/** What to type to see a finding by other means. */
function commandsOf(report: Report, finding: Finding): [string, string][] {
  const byInput = report.inputs.map((input, at): [string, string | null] => {
    const lines = [...finding.evidence, ...finding.proof.flatMap(({by}) => by)]
      .filter((item) => item.input === at)
      .map(({line}) => line);
    return ['its lines in the trace', linesCommand(input, lines)];
  });
  const list: [string, string | null][] = [
    ...byInput,
    ["its pages' history about it", commandOn(report, ['history', '--around', finding.key])],
    ['this finding alone', commandOn(report, ['analyze', '--finding', finding.key])],
    ['the same lines by SQL', queryCommand(report, finding)],
    ["the rule's pattern by SQL", savedCommand(report, finding)],
  ];
  return list.filter((item): item is [string, string] => item[1] !== null);
}

/**
 * `--to markdown`: for an issue on GitHub or GitLab. Both render GFM tables, fenced blocks and `<details>`; a blank line
 * after `</summary>` makes what follows Markdown again. All text of a trace stands in code spans or fenced blocks, where
 * neither turns `@name` or `#1` into links; sentences that quote it are escaped.
 */
import {nounOf, nounOfFinding} from '../words/place.js';
import {htmlText, markdownBlock, markdownCode, markdownText, untabbed} from '../words/clean.js';
import {evidenceHead, evidenceTitle, evidenceRuns, leftText, restText} from './finding-evidence.js';
import {aboutMoment, historyLines} from './finding-history.js';
import {facts, proofLines, stackBlock} from './finding-text.js';
import {defectText} from '../words/defects.js';
import {bytes, counted, duration, number} from '../words/format.js';
import {drawRace} from './race.js';
import {shownCount, type Renderer} from './render.js';
import {answer, causeTitle, causeWhen, causeWho, exampleOf, lacksOf, nearMissPlace} from '../words/causes.js';
import type {Cause, Finding, Report, ReportGroups, Severity} from '../results/report.js';
import {baseName, clockText, commandText, repeatable, cutText, kernelText, lookedAt, advice} from '../words/words.js';

/** An issue on GitHub takes 65,536 characters, and a finding in full has about 5,000. */
const CAUSES = 10;
const DRAWING_WIDTH = 90;
const HISTORY_WIDTH = 110;

const SIGNS: Record<Severity, string> = {error: '🔴', warning: '🟡', note: '🔵'};

export const renderMarkdown: Renderer<Report> = function* (report, options) {
  const [sum = '', ...rest] = answer(report);
  yield `## pinscope: ${markdownText(sum)}\n\n`;
  if (rest.length > 0) yield `${markdownText(rest.join(' '))}\n\n`;
  const causes = report.causes.slice(0, shownCount(options, CAUSES, report.causes.length));
  if (causes.length > 0) yield causeTable(causes);
  const hidden = report.causes.length - causes.length;
  if (hidden > 0) yield `\n${markdownText(cutText(hidden, 'row'))}\n`;
  const chosen = (options.chosen ?? []).map((key) => report.findings.find((finding) => finding.key === key));
  const examples =
    chosen.length > 0
      ? chosen
      : causes.filter((cause) => cause.kin_of === null).map((cause) => exampleOf(report, cause));
  for (const [at, finding] of examples.entries())
    if (finding !== undefined) yield `\n${details(report, finding, at === 0)}`;
  if (report.groups !== undefined)
    yield `\n${groupTable(report.groups, shownCount(options, ROWS, report.groups.rows.length))}`;
  if (options.by === 'deed') yield `\n${deedTable(report, shownCount(options, ROWS, report.findings.length))}`;
  yield '\n### What was read\n\n';
  yield table(['', ''], opening(report));
  yield closing(report);
};

function causeTable(causes: readonly Cause[]): string {
  return table(
    ['', 'severity', 'what', 'found', 'pages', 'sure', 'who', 'when', 'worst', 'key'],
    causes.map((cause) => [
      cause.id,
      `${SIGNS[cause.severity]} ${cause.severity}`,
      markdownCode(causeTitle(cause)),
      number(cause.findings),
      number(cause.pages),
      number(cause.sure),
      markdownCode(causeWho(cause)),
      causeWhen(cause),
      cause.worst.distance_ns === null ? '' : duration(cause.worst.distance_ns),
      markdownCode(cause.worst.key),
    ]),
    [3, 4, 5, 8],
  );
}

const ROWS = 50;

function deedTable({findings}: Report, shown: number): string {
  const hidden = findings.length - shown;
  return (
    table(
      ['key', 'cause', 'severity', 'rule', 'verdict', 'pages', 'what'],
      findings
        .slice(0, shown)
        .map((finding) => [
          markdownCode(finding.key),
          finding.cause,
          finding.severity,
          markdownCode(finding.rule),
          finding.verdict,
          number(finding.pages.length),
          markdownText(finding.message),
        ]),
    ) + (hidden > 0 ? `\n${markdownText(cutText(hidden, 'finding'))}\n` : '')
  );
}

function groupTable({by, rows}: ReportGroups, shown: number): string {
  const hidden = rows.length - shown;
  return (
    table(
      [by, 'found', 'sure', 'worst', 'key', 'rules'],
      rows.slice(0, shown).map(({name, findings, sure, worst, by_rule}) => [
        markdownCode(name),
        number(findings),
        number(sure),
        worst.distance_ns === null ? '' : duration(worst.distance_ns),
        markdownCode(worst.key),
        Object.entries(by_rule)
          .map(([rule, count]) => `${number(count)} ${markdownCode(rule)}`)
          .join(', '),
      ]),
      [1, 2, 3],
    ) + (hidden > 0 ? `\n${markdownText(cutText(hidden, by))}\n` : '')
  );
}

/** A GFM table. Cells are Markdown already; a cell must not hold a newline. */
export function table(heads: string[], rows: string[][], right: readonly number[] = []): string {
  return row(heads) + row(heads.map((_, at) => (right.includes(at) ? '--:' : '---'))) + rows.map(row).join('');
}

function row(cells: string[]): string {
  return `| ${cells.join(' | ')} |\n`;
}

/** A fold. The summary is HTML, the body Markdown. */
export function fold(summaryHtml: string, body: string, open = false): string {
  return `<details${open ? ' open' : ''}>\n<summary>${summaryHtml}</summary>\n\n${body}\n</details>\n`;
}

function opening(report: Report): string[][] {
  const rows: string[][] = [];
  for (const input of report.inputs) {
    const packed = input.compression === 'none' ? '' : `, ${input.compression}`;
    const why = input.evidence.length === 0 ? '' : ` (${input.evidence.map((item) => markdownText(item)).join('; ')})`;
    rows.push(['input', `${markdownCode(baseName(input.path))}, ${input.format}${packed}${why}`]);
    rows.push(['', `${bytes(input.bytes)}, ${counted(input.lines, nounOf(input))}, ${counted(input.events, 'event')}`]);
    if (input.sha256 !== undefined) rows.push(['sha256', markdownCode(input.sha256)]);
    if (input.unrecognised.count > 0) {
      const first = input.unrecognised.first[0];
      const example =
        first === undefined ? '' : `, the first is ${nounOf(input)} ${first.line}: ${markdownCode(first.text.trim())}`;
      rows.push(['not understood', `${counted(input.unrecognised.count, nounOf(input))}${example}`]);
    }
  }
  rows.push(['clock', markdownText(clockText(report))]);
  rows.push(['kernel', markdownText(kernelText(report))]);
  for (const counter of report.quality)
    rows.push([counter.severity, markdownText(`${defectText(counter)}${advice(counter.advice)}`)]);
  if (report.quality.length === 0) rows.push(['losses', 'the trace tells of none']);
  if (report.partial !== undefined) rows.push(['stopped', markdownText(report.partial)]);
  rows.push(['seen', lookedAt(report)]);
  return rows;
}

function details(report: Report, finding: Finding, open: boolean): string {
  const parts: string[] = [`${markdownText(finding.message)}\n`];
  parts.push(
    table(
      ['', ''],
      facts(report, finding, 12).map(([label, text]) => [label, markdownCode(text)]),
    ),
  );
  if (finding.stacks.length > 0) parts.push(markdownBlock(stackBlock(finding, '')));
  const race = drawRace(finding, DRAWING_WIDTH);
  if (race.length > 0) parts.push(markdownBlock(race));
  if (finding.proof.length > 0) parts.push('Proven by:\n', markdownBlock(proofLines(finding, DRAWING_WIDTH, '')));
  if (finding.evidence.length > 0) {
    const {runs, left} = evidenceRuns(finding);
    const lines = runs.flatMap((run) => [
      ...run.shown.flatMap((at) => [
        `# ${evidenceHead(report, finding, at)}`,
        untabbed(finding.evidence[at]?.text ?? ''),
      ]),
      ...(run.rest.length > 0 ? [`# ${restText(finding, run.rest)}`] : []),
    ]);
    if (left > 0) lines.push(`# ${leftText(finding, left)}`);
    parts.push(`${evidenceTitle(finding, 'The lines that decide it:')}\n`, markdownBlock(lines));
  }
  const first = finding.pages[0];
  const {entries} = aboutMoment(finding);
  if (entries.length > 0 && first !== undefined) {
    const body = markdownBlock(historyLines(entries, nounOfFinding(finding), HISTORY_WIDTH, ''));
    parts.push(fold(`pfn ${htmlText(first.pfn)} about that moment`, body));
  }
  const verdict = finding.verdict === 'sure' ? 'sure' : 'only possible';
  const summary = `<b>${finding.cause}</b> ${SIGNS[finding.severity]} ${finding.severity}: <code>${htmlText(finding.rule)}</code> (${verdict}) <code>${finding.key}</code>`;
  return fold(summary, parts.join('\n'), open);
}

function closing(report: Report): string {
  let out = '';
  if (report.near_misses.length > 0) {
    out += '\n### How close the good cases came\n\n';
    out += table(
      ['from .. to', 'device', 'times', 'closest', '1 %', 'median', 'closest at'],
      report.near_misses.map((miss) => [
        markdownText([miss.what, ...nearMissPlace(miss, report.near_misses)].join(', ')),
        miss.device === null ? '-' : markdownCode(miss.device),
        number(miss.count),
        duration(miss.min_ns),
        duration(miss.p1_ns),
        duration(miss.p50_ns),
        `${miss.at.pfn}, ${nounOf(report.inputs[miss.at.input])} ${miss.at.line}`,
      ]),
      [2, 3, 4, 5],
    );
  }
  const lacks = lacksOf(report);
  if (lacks.length > 0) {
    out += '\n### Not judged, or only in part\n\n';
    out += table(
      ['not in the trace', 'not judged', 'in part', 'to have it'],
      lacks.map(({what, rules, partly, record}) => [
        markdownText(what),
        rules.map((id) => markdownCode(id)).join(', '),
        partly.map(({rule, misses}) => `${markdownCode(rule)}: misses ${markdownText(misses)}`).join('; '),
        markdownText(record),
      ]),
    );
  }
  out += `\nTo repeat it:\n\n${markdownBlock([commandText(repeatable(report))])}`;
  return out;
}

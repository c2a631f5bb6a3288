/**
 * `--to markdown`: for an issue on GitHub or GitLab. Both render GFM tables, fenced blocks and `<details>`; a blank line
 * after `</summary>` makes what follows Markdown again. All text of a trace stands in code spans or fenced blocks, where
 * neither turns `@name` or `#1` into links; sentences that quote it are escaped.
 */
import {htmlText, markdownBlock, markdownCode, markdownText, untabbed} from '../words/clean.js';
import {evidenceHead, evidenceRuns, leftText, restText, facts, historyLines, stackBlock} from './finding-text.js';
import {bytes, counted, duration, number} from '../words/format.js';
import {drawRace} from './race.js';
import {shownCount, type Renderer} from './render.js';
import type {Finding, Report, Severity} from '../results/report.js';
import {
  clockText,
  commandText,
  cutText,
  kernelText,
  lookedAt,
  partly,
  advice,
  unrun,
  verdictLine,
} from '../words/words.js';

/** An issue on GitHub takes 65,536 characters, and a finding in full has about 5,000. */
const USUAL_LIMIT = 10;
const DRAWING_WIDTH = 90;
const HISTORY_WIDTH = 110;

const SIGNS: Record<Severity, string> = {error: '🔴', warning: '🟡', note: '🔵'};

export const renderMarkdown: Renderer<Report> = function* (report, options) {
  yield `## pinscope: ${markdownText(verdictLine(report))}\n\n`;
  yield table(['', ''], opening(report));
  const shown = shownCount(options, USUAL_LIMIT, report.findings.length);
  const findings = report.findings.slice(0, shown);
  if (findings.length > 0) {
    yield '\n### Findings\n\n';
    yield table(
      ['', 'severity', 'rule', 'verdict', 'pages', 'what'],
      findings.map((finding) => [
        finding.id,
        `${SIGNS[finding.severity]} ${finding.severity}`,
        markdownCode(finding.rule, true),
        finding.verdict,
        number(finding.pages.length),
        markdownText(finding.message),
      ]),
    );
  }
  const hidden = report.findings.length - shown;
  if (hidden > 0) yield `\n${markdownText(cutText(hidden))}\n`;
  for (const [at, finding] of findings.entries()) yield `\n${details(report, finding, at === 0)}`;
  yield closing(report);
};

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
    rows.push(['input', `${markdownCode(input.path, true)}, ${input.format}${packed}${why}`]);
    rows.push(['', `${bytes(input.bytes)}, ${counted(input.lines, 'line')}, ${counted(input.events, 'event')}`]);
    if (input.sha256 !== undefined) rows.push(['sha256', markdownCode(input.sha256, true)]);
    if (input.cut !== undefined) rows.push(['cut', markdownText(input.cut)]);
    if (input.unrecognised.count > 0) {
      const first = input.unrecognised.first[0];
      const example =
        first === undefined ? '' : `, the first is line ${first.line}: ${markdownCode(first.text.trim(), true)}`;
      rows.push(['not understood', `${counted(input.unrecognised.count, 'line')}${example}`]);
    }
  }
  rows.push(['clock', markdownText(clockText(report))]);
  rows.push(['kernel', markdownText(kernelText(report))]);
  const losses = report.quality.filter((counter) => counter.count > 0);
  for (const counter of losses) {
    const cpu = counter.cpu === undefined ? '' : ` on CPU ${counter.cpu}`;
    rows.push([
      counter.severity,
      markdownText(`${counter.message}${cpu}: ${number(counter.count)}${advice(counter.advice)}`),
    ]);
  }
  if (losses.length === 0) rows.push(['losses', 'the trace tells of none']);
  if (report.partial !== undefined) rows.push(['stopped', markdownText(report.partial)]);
  rows.push(['seen', lookedAt(report)]);
  return rows;
}

function details(report: Report, finding: Finding, open: boolean): string {
  const parts: string[] = [`${markdownText(finding.message)}\n`];
  parts.push(
    table(
      ['', ''],
      facts(finding, 12).map(([label, text]) => [label, markdownCode(text, true)]),
    ),
  );
  if (finding.stacks.length > 0) parts.push(markdownBlock(stackBlock(finding, '')));
  const race = drawRace(finding, DRAWING_WIDTH);
  if (race.length > 0) parts.push(markdownBlock(race));
  if (finding.evidence.length > 0) {
    const {runs, left} = evidenceRuns(finding);
    const lines = runs.flatMap((run) => [
      ...run.shown.flatMap((at) => [
        `# ${evidenceHead(report, finding, at)}`,
        untabbed(finding.evidence[at]?.text ?? ''),
      ]),
      ...(run.rest.length > 0 ? [`# ${restText(finding, run.rest)}`] : []),
    ]);
    if (left > 0) lines.push(`# ${leftText(left)}`);
    parts.push('The lines that decide it:\n', markdownBlock(lines));
  }
  const first = finding.pages[0];
  if (finding.history.length > 0 && first !== undefined) {
    const body = markdownBlock(historyLines(finding.history, HISTORY_WIDTH, ''));
    parts.push(fold(`History of pfn ${htmlText(first.pfn)}`, body));
  }
  const verdict = finding.verdict === 'sure' ? 'sure' : 'only possible';
  const summary = `<b>${finding.id}</b> ${SIGNS[finding.severity]} ${finding.severity}: <code>${htmlText(finding.rule)}</code> (${verdict})`;
  return fold(summary, parts.join('\n'), open);
}

function closing(report: Report): string {
  let out = '';
  if (report.near_misses.length > 0) {
    out += '\n### How close the good cases came\n\n';
    out += table(
      ['from .. to', 'device', 'times', 'closest', '1 %', 'median', 'closest at'],
      report.near_misses.map((miss) => [
        markdownText(miss.what),
        miss.device === null ? '-' : markdownCode(miss.device, true),
        number(miss.count),
        duration(miss.min_ns),
        duration(miss.p1_ns),
        duration(miss.p50_ns),
        `${miss.at.pfn}, line ${miss.at.line}`,
      ]),
      [2, 3, 4, 5],
    );
  }
  const missing = [...unrun(report), ...partly(report)];
  if (missing.length > 0) {
    out += '\n### Rules that could not run, or only in part\n\n';
    out += table(
      ['rule', 'status', 'lacks', 'to get it'],
      missing.map((rule) => [
        markdownCode(rule.id, true),
        rule.status,
        rule.missing.map((name) => markdownCode(name, true)).join(', '),
        markdownText(rule.advice),
      ]),
    );
  }
  out += `\nTo repeat it:\n\n${markdownBlock([commandText(report.command)])}`;
  return out;
}

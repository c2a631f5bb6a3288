/**
 * `--to mail`: the body of a plain-text mail to a kernel list. ASCII, no tabs, no line over 75 columns except the quoted
 * trace lines, which begin with `> ` and keep every byte, so that nobody has to take our word for anything: whoever has
 * only this mail can check the claim, and `pinscope analyze --from mail` reads the quoted lines back.
 */
import {ascii, untabbed} from '../words/clean.js';
import {
  evidenceHead,
  evidenceRuns,
  leftText,
  restText,
  factLines,
  facts,
  historyLines,
  stackBlock,
} from './finding-text.js';
import {bytes, chop, counted, duration, number, wrap} from '../words/format.js';
import {drawRace} from './race.js';
import {shownCount, type Renderer} from './render.js';
import type {Finding, Report, ReportInput} from '../results/report.js';
import {
  clockText,
  commandText,
  cutText,
  kernelText,
  nothingFound,
  lookedAt,
  partly,
  advice,
  tally,
  unrun,
  verdictLine,
} from '../words/words.js';

export const MAIL_WIDTH = 75;
const USUAL_LIMIT = 10;

export const renderMail: Renderer<Report> = function* (report, options) {
  yield* section(opening(report));
  const shown = shownCount(options, USUAL_LIMIT, report.findings.length);
  for (const finding of report.findings.slice(0, shown)) yield* section(['', ...findingLines(report, finding)]);
  if (report.findings.length === 0) yield* section(['', ...wrap(nothingFound(report), MAIL_WIDTH)]);
  const hidden = report.findings.length - shown;
  if (hidden > 0) yield* section(['', cutText(hidden)]);
  yield* section(closing(report));
};

/** The last guard: whatever a line holds, it leaves as ASCII without tabs. */
function* section(lines: string[]): Iterable<string> {
  for (const line of lines) yield `${ascii(untabbed(line)).trimEnd()}\n`;
}

function opening(report: Report): string[] {
  const list: [string, string][] = [
    ['Found', tally(report)],
    ['Kernel', kernelText(report)],
  ];
  for (const input of report.inputs) {
    const name = input.path === '-' ? 'standard input' : input.path;
    list.push([
      'Input',
      `${name}, ${bytes(input.bytes)}, ${counted(input.lines, 'line')}, ${counted(input.events, 'event')}`,
    ]);
    if (input.sha256 !== undefined) list.push(['sha256', input.sha256]);
    list.push(['Recorded', recordedText(input)]);
    if (input.cut !== undefined) list.push(['Cut', input.cut]);
    if (input.unrecognised.count > 0) list.push(['Not read', counted(input.unrecognised.count, 'line')]);
  }
  list.push(['Clock', clockText(report)]);
  const losses = report.quality.filter((counter) => counter.count > 0);
  for (const counter of losses) {
    const cpu = counter.cpu === undefined ? '' : ` on CPU ${counter.cpu}`;
    list.push(['Lost', `${counter.message}${cpu}: ${number(counter.count)}`]);
  }
  if (losses.length === 0) list.push(['Lost', 'nothing that the trace tells of']);
  list.push(['Seen', lookedAt(report)]);
  if (report.partial !== undefined) list.push(['Stopped', report.partial]);
  return [`Report of pinscope ${report.tool.version} (rules ${report.rules_version})`, '', ...mailFacts(list)];
}

function recordedText(input: ReportInput): string {
  const packed = input.compression === 'none' ? '' : ` (${input.compression})`;
  return `${input.format}${packed}${input.evidence.length === 0 ? '' : `: ${input.evidence.join('; ')}`}`;
}

/** Facts as a block, with words longer than a line (a hash, a path) broken rather than left for the mailer to break. */
function mailFacts(list: [string, string][], indent = ''): string[] {
  const clean = list.map(([label, text]): [string, string] => [label, ascii(text)]);
  return fold(factLines(clean, MAIL_WIDTH, indent), indent);
}

function fold(lines: string[], indent = ''): string[] {
  return lines.flatMap((line) => (line.length <= MAIL_WIDTH ? [line] : broken(line, `${indent}    `)));
}

function broken(line: string, indent: string): string[] {
  const head = line.slice(0, MAIL_WIDTH);
  return [head, ...chop(line.slice(MAIL_WIDTH), MAIL_WIDTH - indent.length).map((piece) => `${indent}${piece}`)];
}

function findingLines(report: Report, finding: Finding): string[] {
  const title = `${finding.id}. ${finding.severity}: ${finding.rule} (${finding.verdict === 'sure' ? 'sure' : 'only possible'})`;
  const out = [title, '='.repeat(title.length), '', ...wrap(ascii(finding.message), MAIL_WIDTH), ''];
  out.push(...mailFacts(facts(finding, 12), '  '));
  if (finding.stacks.length > 0) out.push('', ...stackBlock(finding, '  ').map((line) => ascii(line)));
  const race = drawRace(finding, MAIL_WIDTH - 2);
  if (race.length > 0) out.push('', ...race.map((line) => `  ${line}`));
  const first = finding.pages[0];
  if (finding.history.length > 0 && first !== undefined) {
    out.push('', `History of pfn ${first.pfn} (1p+2: one pin and two other references):`);
    out.push(...historyLines(finding.history, MAIL_WIDTH, '  '));
  }
  const folded = fold(out, '  ');
  if (finding.evidence.length > 0) folded.push('', 'The lines that decide it:');
  const {runs, left} = evidenceRuns(finding);
  for (const run of runs) {
    for (const at of run.shown) {
      folded.push(
        '',
        ...fold([`  ${ascii(evidenceHead(report, finding, at))}:`]),
        `> ${finding.evidence[at]?.text ?? ''}`,
      );
    }
    if (run.rest.length > 0) folded.push('', ...wrap(ascii(restText(finding, run.rest)), MAIL_WIDTH, '    ', '  '));
  }
  if (left > 0) folded.push('', ...wrap(leftText(left), MAIL_WIDTH, '    ', '  '));
  return folded;
}

function closing(report: Report): string[] {
  const out: string[] = [''];
  if (report.near_misses.length > 0) {
    out.push('How close the good cases came:');
    for (const miss of report.near_misses) {
      const device = miss.device === null ? '' : ` on ${miss.device}`;
      const text = `${miss.what}${device}: closest ${duration(miss.min_ns)} (line ${miss.at.line}, pfn ${miss.at.pfn}), 1 % ${duration(miss.p1_ns)}, median ${duration(miss.p50_ns)}, ${counted(miss.count, 'time')}`;
      out.push(...wrap(ascii(text), MAIL_WIDTH, '    ', '  '));
    }
    out.push('');
  }
  const missing = [...unrun(report), ...partly(report)];
  if (missing.length > 0) {
    out.push('Rules that could not run, or only in part:');
    for (const rule of missing) {
      const lacks = rule.missing.length > 0 ? `lacks ${rule.missing.join(', ')}` : '';
      out.push(
        ...wrap(ascii(`${rule.id} (${rule.status}): ${lacks}${advice(rule.advice)}`), MAIL_WIDTH, '      ', '  '),
      );
    }
    out.push('');
  } else out.push('Every rule could run.', '');
  out.push(...wrap(verdictLine(report), MAIL_WIDTH), '', 'To repeat it:', '');
  out.push(...continued(report.command));
  return fold(out);
}

/** A command of many words over several lines, broken between words only, as a shell reads it. */
export function continued(command: readonly string[]): string[] {
  const lines: string[] = [];
  let line = '  $';
  for (const word of command) {
    const quoted = ascii(commandText([word]));
    if (line.length + 1 + quoted.length > MAIL_WIDTH - 2 && line.trim() !== '$') {
      lines.push(`${line} \\`);
      line = '     ';
    }
    line += ` ${quoted}`;
  }
  return [...lines, line];
}

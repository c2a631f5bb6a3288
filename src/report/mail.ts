/**
 * `--to mail`: the body of a plain-text mail to a kernel list, 60 to 100 lines whatever the trace. ASCII, no tabs, no line over
 * 75 columns except the trace's own, which are indented (`>` would say that somebody else wrote them) and keep every byte: who
 * has only this mail can check the claim, and `pinscope analyze --from mail` reads it back.
 */
import {nounOf, nounOfFinding} from '../words/place.js';
import {wordsOn} from '../words/commands.js';
import {ascii, untabbed} from '../words/clean.js';
import {causeTitle, exampleOf, lacksOf, nearMissText} from '../words/causes.js';
import {evidenceHead, evidenceTitle, evidenceRuns, leftText} from './finding-evidence.js';
import {aboutMoment, historyLines} from './finding-history.js';
import {proofLines, stackBlock} from './finding-text.js';
import {defectText} from '../words/defects.js';
import {bytes, chop, clip, counted, wrap} from '../words/format.js';
import {paint} from './paint.js';
import {drawRace} from './race.js';
import type {RenderOptions, Renderer} from './render.js';
import {answerLines, causeTable, findingHead, type TextOptions} from './sum-text.js';
import type {Finding, Report, ReportInput} from '../results/report.js';
import {baseName, clockText, commandText, kernelText, repeatable} from '../words/words.js';

export const MAIL_WIDTH = 75;
const TEXT: TextOptions = {width: MAIL_WIDTH, color: paint(false), whole: false};
/** Causes that a mail tells, and lines that their table may take. */
const CAUSES = 6;
/** Runs of deciding lines quoted, and frames of a stack. */
const RUNS = 8;
const FRAMES = 8;
/** Stacks: who took and who dropped come first. */
const STACKS = 2;
/** Kinds of loss that are told. */
const LOSSES = 4;
/** A mail shorter than this has room for the page's history about the moment. */
const SHORT = 80;
/** Names of events that say how it was recorded. */
const EVENTS = 14;

export const renderMail: Renderer<Report> = function* (report, options) {
  const finding = proofOf(report, options);
  const head = [
    ...subject(report, finding),
    ...answerLines(report, MAIL_WIDTH),
    '',
    ...causeTable(report, CAUSES, TEXT),
  ];
  const proof = finding === undefined ? nearest(report) : proofText(report, finding);
  const end = closing(report, finding);
  const room = head.length + proof.length + end.length < SHORT;
  const history = finding !== undefined && room ? historyText(finding) : [];
  for (const line of fold([...head, ...proof, ...history])) yield `${ascii(untabbed(line)).trimEnd()}\n`;
  for (const line of end) yield `${ascii(untabbed(line)).trimEnd()}\n`;
};

/** The finding whose proof is shown: the one that was asked for, else the worst of the gravest cause. */
function proofOf(report: Report, options: RenderOptions): Finding | undefined {
  const [key] = options.chosen ?? [];
  const [cause] = report.causes;
  if (key !== undefined) return report.findings.find((finding) => finding.key === key);
  return cause === undefined ? undefined : exampleOf(report, cause);
}

function subject(report: Report, finding: Finding | undefined): string[] {
  if (finding === undefined) return [];
  // kin are the same deeds under another rule
  const rest = report.causes.filter((cause) => cause.kin_of === null).length - 1;
  const more = rest > 0 ? ` and ${counted(rest, 'other cause')}` : '';
  const text = `Subject: [BUG] ${causeTitle({rule: finding.rule, device: finding.device ?? null})}${more}`;
  return [clip(ascii(text), MAIL_WIDTH), ''];
}

function proofText(report: Report, finding: Finding): string[] {
  const cause = report.causes.find((one) => one.id === finding.cause);
  const out = ['', ...findingHead(cause, finding, TEXT), ...wrap(ascii(finding.message), MAIL_WIDTH, '  ')];
  if (finding.reason !== null) out.push(...wrap(ascii(`only possible: ${finding.reason}`), MAIL_WIDTH, '    ', '  '));
  if (finding.stacks.length > 0)
    out.push(
      '',
      ...stackBlock({...finding, stacks: finding.stacks.slice(0, STACKS)}, '  ', FRAMES).map((line) => ascii(line)),
    );
  const race = drawRace(finding, MAIL_WIDTH - 2);
  if (race.length > 0) out.push('', ...race.map((line) => `  ${line}`));
  if (finding.proof.length > 0) out.push('', '  proven by', ...proofLines(finding, MAIL_WIDTH, '  '));
  out.push('', `  ${evidenceTitle(finding, 'The lines of the trace that decide it:')}`, '');
  const {runs, left} = evidenceRuns(finding);
  let unshown = left;
  for (const [n, run] of runs.entries()) {
    const [at = 0, ...others] = run.shown;
    const like = [...others, ...run.rest];
    if (n >= RUNS) {
      unshown += 1 + like.length;
      continue;
    }
    out.push(...wrap(ascii(placeText(report, finding, at, like)), MAIL_WIDTH, '    ', '  '), quoted(finding, at));
  }
  if (unshown > 0) out.push(...wrap(leftText(finding, unshown), MAIL_WIDTH, '       ', '     '));
  return out;
}

/** `line 3924 (pin), and 2 like it: 3928, 3932` */
function placeText(report: Report, finding: Finding, at: number, like: readonly number[]): string {
  const head = evidenceHead(report, finding, at);
  if (like.length === 0) return head;
  const numbers = like.slice(0, 6).map((one) => String(finding.evidence[one]?.line ?? '?'));
  return `${head}, and ${like.length} like it: ${numbers.join(', ')}${like.length > 6 ? ', ...' : ''}`;
}

/** A line of the trace as it is. */
function quoted(finding: Finding, at: number): string {
  return `${QUOTE}${untabbed(finding.evidence[at]?.text ?? '').trimStart()}`;
}

/** What marks a trace's own line for fold(): four blanks that nothing else begins with. */
const QUOTE = '    ';

function historyText(finding: Finding): string[] {
  const {entries} = aboutMoment(finding);
  const first = finding.pages[0];
  if (entries.length === 0 || first === undefined) return [];
  return [
    '',
    `  pfn ${first.pfn} about that moment (1p+2: one pin, two other references):`,
    ...historyLines(entries, nounOfFinding(finding), MAIL_WIDTH, '  '),
  ];
}

/** Nothing found: how close it came. */
function nearest(report: Report): string[] {
  const [miss] = report.near_misses;
  return miss === undefined
    ? []
    : [
        '',
        ...wrap(
          ascii(`Closest: ${nearMissText(miss, nounOf(report.inputs[miss.at.input]), report.near_misses)}.`),
          MAIL_WIDTH,
        ),
      ];
}

function closing(report: Report, finding: Finding | undefined): string[] {
  const out = ['', 'How it was recorded:', ''];
  for (const input of report.inputs) out.push(...wrap(ascii(recorded(input)), MAIL_WIDTH, '    ', '  '));
  out.push(...wrap(ascii(`${kernelText(report)}; ${clockText(report)}`), MAIL_WIDTH, '    ', '  '));
  const {quality} = report;
  for (const counter of quality.slice(0, LOSSES))
    out.push(...wrap(ascii(defectText(counter)), MAIL_WIDTH, '    ', '  '));
  if (quality.length > LOSSES) out.push(`  and ${counted(quality.length - LOSSES, 'more remark')} (pinscope info)`);
  const lacks = lacksOf(report);
  if (lacks.length > 0) {
    const text = lacks
      .map(({what, rules, partly}) => `${what} (${counted(rules.length + partly.length, 'rule')})`)
      .join(', ');
    out.push(...wrap(ascii(`not shown by the trace: ${text}`), MAIL_WIDTH, '    ', '  '));
  }
  out.push(
    '',
    `To repeat it, with pinscope ${report.tool.version} (rules ${report.rules_version}):`,
    '',
    ...continued(repeatable(report)),
  );
  if (finding !== undefined) {
    for (const words of [
      ['history', '--around', finding.key],
      ['query', '--saved', 'findings-with-lines'],
    ])
      out.push(...continued(['pinscope', ...wordsOn(report, words)]));
  }
  out.push('', 'To attach: the trace, compressed', '');
  for (const {path, bytes: size, sha256} of report.inputs) {
    out.push(...foldOne(`  ${ascii(baseName(path))}, ${bytes(size)}`));
    if (sha256 !== undefined) out.push(`    sha256 ${sha256}`);
  }
  return out;
}

function recorded({path, format, compression, lines, events, event_names: names}: ReportInput): string {
  const packed = compression === 'none' ? '' : `, ${compression}`;
  const shown = names.slice(0, EVENTS).join(', ');
  const more = names.length > EVENTS ? ` and ${names.length - EVENTS} more kinds` : '';
  return `${baseName(path)}: ${format}${packed}, ${counted(lines, nounOf({format}))}, ${counted(events, 'event')}: ${shown}${more}`;
}

/** Lines of our own that are too long are broken rather than left for the mailer to break; the trace's own stay. */
function fold(lines: string[]): string[] {
  return lines.flatMap((line) => (line.startsWith(QUOTE) && isTrace(line) ? [line] : foldOne(line)));
}

/** Four blanks and no more begin only a line of the trace. */
function isTrace(line: string): boolean {
  return line.charAt(QUOTE.length) !== ' ' && line.length > MAIL_WIDTH;
}

function foldOne(line: string): string[] {
  if (line.length <= MAIL_WIDTH) return [line];
  return [line.slice(0, MAIL_WIDTH), ...chop(line.slice(MAIL_WIDTH), MAIL_WIDTH - 4).map((piece) => `    ${piece}`)];
}

/** A command of many words over several lines, broken between words only, as a shell reads it. */
export function continued(command: readonly string[]): string[] {
  const lines: string[] = [];
  let line = '  $';
  for (const word of command) {
    const quotedWord = ascii(commandText([word]));
    if (line.length + 1 + quotedWord.length > MAIL_WIDTH - 2 && line.trim() !== '$') {
      lines.push(`${line} \\`);
      line = '     ';
    }
    line += ` ${quotedWord}`;
  }
  return fold([...lines, line]);
}

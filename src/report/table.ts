/** `--to table`: the terminal. The answer first, then the causes, then one finding of each with the lines that prove it. */
import {nounOf, nounOfFinding} from '../words/place.js';
import {printable} from '../words/clean.js';
import {chop, counted, wrap} from '../words/format.js';
import {exampleOf, nearMissText} from '../words/causes.js';
import type {Cause, Finding, Report} from '../results/report.js';
import {evidenceHead, evidenceRuns, evidenceText, leftText, restText, squeezed} from './finding-evidence.js';
import {aboutMoment, historyLines} from './finding-history.js';
import {factLines, facts, proofLines, stackBlock} from './finding-text.js';
import {paint} from './paint.js';
import {drawRace} from './race.js';
import type {Renderer} from './render.js';
import {
  answerLines,
  CAUSES,
  causeTable,
  deedTable,
  findingHead,
  groupTable,
  inputLines,
  notJudgedLines,
  ROWS,
  type TextOptions,
} from './sum-text.js';

/** Near misses that are shown. */
const NEAR_MISSES = 3;
/** Nothing is drawn wider. */
const WIDEST = 200;
const NARROWEST = 40;

export const renderTable: Renderer<Report> = function* (report, options) {
  const text: TextOptions = {
    width: Math.max(NARROWEST, Math.min(options.width, WIDEST)),
    color: paint(options.color),
    whole: options.whole === true,
  };
  const {width, color} = text;
  const [first = '', ...rest] = answerLines(report, width);
  yield* lines([color.strong(first), ...rest]);
  yield* lines(inputLines(report, width, (path) => (path === '-' ? 'standard input' : path)));
  const chosen = (options.chosen ?? []).map((key) => report.findings.find((finding) => finding.key === key));
  const findings = chosen.filter((finding) => finding !== undefined);
  if (findings.length > 0) {
    const causes = report.causes.filter((cause) => findings.some((finding) => finding.cause === cause.id));
    const others = report.causes.length - causes.length;
    const told = others > 0 ? [`${counted(others, 'more row')} not shown (leave out --finding)`] : [];
    yield* block([...causeTable({...report, causes}, 0, text), ...told]);
    for (const finding of findings) yield* block(atLength(report, finding, text));
  } else if (options.by === 'deed') yield* block(deedTable(report, options.limit ?? ROWS, text));
  else if (report.groups !== undefined) yield* block(groupTable(report.groups, options.limit ?? ROWS, text));
  else {
    const most = options.limit ?? CAUSES;
    yield* block(causeTable(report, most, text));
    const own = report.causes.slice(0, most === 0 ? undefined : most).filter((cause) => cause.kin_of === null);
    for (const cause of own) {
      const finding = exampleOf(report, cause);
      if (finding !== undefined) yield* block(inBrief(report, cause, finding, text));
    }
  }
  yield* block(nearMisses(report, width));
  yield* block(notJudgedLines(report, width));
  yield* block(more(report, findings.length > 0, width));
};

function* lines(list: string[]): Iterable<string> {
  for (const line of list) yield `${line}\n`;
}

function* block(list: string[]): Iterable<string> {
  if (list.length > 0) yield* lines(['', ...list]);
}

/** One finding of a cause: what, the drawing, the proof, the deciding lines each on one line. */
function inBrief(report: Report, cause: Cause, finding: Finding, options: TextOptions): string[] {
  const {width, whole} = options;
  const out = [...findingHead(cause, finding, options), ...wrap(printable(finding.message), width, '  ')];
  if (finding.reason !== null) out.push(...wrap(printable(`only possible: ${finding.reason}`), width, '    ', '  '));
  if (finding.stacks.length > 0) out.push('', ...stackBlock(finding, '  '));
  const race = drawRace(finding, Math.min(width - 2, 110));
  if (race.length > 0) out.push('', ...race.map((line) => `  ${line}`));
  if (finding.proof.length > 0) out.push('', '  proven by', ...proofLines(finding, width, '  '));
  out.push('');
  const {runs, left} = evidenceRuns(finding);
  const number = Math.max(0, ...finding.evidence.map(({line}) => String(line).length));
  for (const {shown, rest} of runs) {
    const [at = 0, ...others] = shown;
    const item = finding.evidence[at];
    if (item === undefined) continue;
    const where = item.rendered === true && item.cpu !== undefined ? `, CPU ${item.cpu}` : '';
    const head = `  ${nounOf(report.inputs[item.input])} ${String(item.line).padStart(number)}${where}${report.inputs.length > 1 ? ` of trace ${item.input + 1}` : ''}  `;
    const pieces = squeezed(item.text, whole ? Infinity : width - head.length);
    out.push(...pieces.map((piece, part) => `${part === 0 ? head : ' '.repeat(head.length)}${piece}`));
    const like = [...others, ...rest];
    if (like.length > 0)
      out.push(...wrap(restText(finding, like), width, ' '.repeat(head.length + 2), ' '.repeat(head.length)));
  }
  if (left > 0) out.push(...wrap(leftText(finding, left), width, '    ', '  '));
  return out;
}

/** A finding that was asked for: all that the report has of it. */
function atLength(report: Report, finding: Finding, options: TextOptions): string[] {
  const {width, color, whole} = options;
  const cause = report.causes.find((one) => one.id === finding.cause);
  const out = [...findingHead(cause, finding, options), ...wrap(printable(finding.message), width, '  '), ''];
  out.push(...factLines(facts(report, finding, width >= 120 ? 12 : 6), width, '  '));
  if (finding.stacks.length > 0) out.push('', ...stackBlock(finding, '  '));
  const race = drawRace(finding, Math.min(width - 2, 110));
  if (race.length > 0) out.push('', ...race.map((line) => `  ${line}`));
  if (finding.proof.length > 0) out.push('', '  proven by', ...proofLines(finding, width, '  '));
  if (finding.evidence.length > 0) out.push('', `  deciding ${nounOfFinding(finding)}s`);
  const {runs, left} = evidenceRuns(finding);
  for (const run of runs) {
    for (const at of run.shown) {
      out.push(`  ${color.faint(evidenceHead(report, finding, at))}`);
      const text = evidenceText(finding.evidence[at]?.text ?? '').trimStart();
      out.push(
        ...(whole ? [text] : chop(text, width - 6)).map((piece, part) => `    ${part === 0 ? '' : '  '}${piece}`),
      );
    }
    if (run.rest.length > 0) out.push(...wrap(restText(finding, run.rest), width, '      ', '    '));
  }
  if (left > 0) out.push(...wrap(leftText(finding, left), width, '    ', '  '));
  const {entries, before, after} = aboutMoment(finding);
  const first = finding.pages[0];
  if (entries.length > 0 && first !== undefined) {
    out.push(
      '',
      `  pfn ${first.pfn} about that moment (p: pins)`,
      ...historyLines(entries, nounOfFinding(finding), width, '  '),
    );
    const others = before + after;
    if (others > 0) out.push(...wrap(`The rest: pinscope history --around ${finding.key} ...`, width, '  '));
  }
  return out;
}

function nearMisses(report: Report, width: number): string[] {
  const misses = report.near_misses;
  if (misses.length === 0) return [];
  const shown = misses
    .slice(0, NEAR_MISSES)
    .flatMap((miss) =>
      wrap(
        printable(nearMissText(miss, nounOf(report.inputs[miss.at.input]), report.near_misses)),
        width,
        '      ',
        '  ',
      ),
    );
  const rest = misses.length - NEAR_MISSES;
  return ['Closest of the good cases', ...shown, ...(rest > 0 ? [`  and ${rest} more (--to json)`] : [])];
}

/** What to type next. */
function more(report: Report, chosen: boolean, width: number): string[] {
  const key = report.causes[0]?.worst.key;
  if (key === undefined) return [];
  const full = chosen ? [] : [`--finding ${key}`];
  return wrap(
    `More: ${[...full, '--by deed, page, task or file', `pinscope history --around ${key}`, '--to mail or html'].join('; ')}`,
    width,
    '      ',
    '',
  );
}

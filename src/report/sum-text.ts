/** The answer and the causes as lines of text: what the terminal and the mail begin with. */
import {nounOf} from '../words/place.js';
import {printable} from '../words/clean.js';
import {answer, causeTitle, causeWhen, causeWho, lacksOf, lackText, oneOf} from '../words/causes.js';
import {defectText} from '../words/defects.js';
import {bytes, clip, counted, duration, frames, number, pageList, time, wrap} from '../words/format.js';
import type {Cause, Finding, Report, ReportGroups} from '../results/report.js';
import {advice, clockBrief, cutText, kernelText} from '../words/words.js';
import type {Paint} from './paint.js';

/** Rows of a table of findings, pages, tasks or files that are shown when nobody asked for more. */
export const ROWS = 20;
/** How far to the right the key of a finding stands: not out of sight on a wide terminal. */
const HEAD_WIDTH = 100;
/** Causes that are shown when nobody asked for more. */
export const CAUSES = 10;

export interface TextOptions {
  width: number;
  color: Paint;
  /** cells are not cut */
  whole: boolean;
}

/** The first lines: the sum, the rules, the losses. */
export function answerLines(report: Report, width: number): string[] {
  return wrap(printable(answer(report).join(' ')), width);
}

/** What was read, one line an input where it fits, and what is wrong with it. */
export function inputLines(report: Report, width: number, name: (path: string) => string): string[] {
  const list: [string, string][] = [];
  report.inputs.forEach((input, i) => {
    const packed = input.compression === 'none' ? [] : [input.compression];
    const facts = [input.format, ...packed, bytes(input.bytes), counted(input.lines, nounOf(input))];
    const last = i === report.inputs.length - 1 ? [clockBrief(report), kernelText(report)] : [];
    list.push(['trace', `${name(input.path)}: ${[...facts, ...last].join(', ')}`]);
    if (input.sha256 !== undefined) list.push(['sha256', input.sha256]);
    if (input.unrecognised.count > 0) {
      const first = input.unrecognised.first[0];
      const example =
        first === undefined
          ? ''
          : `, the first is ${nounOf(input)} ${first.line}: ${clip(printable(first.text.trim()), 60)}`;
      list.push(['unread', `${counted(input.unrecognised.count, nounOf(input))} not understood${example}`]);
    }
  });
  for (const counter of report.quality) {
    list.push([counter.severity, `${defectText(counter)}${advice(counter.advice)}`]);
  }
  return list.flatMap(([label, text]) => wrap(printable(text), width, '         ', `${label.padEnd(7)}  `));
}

/** The causes, at most so many, as a table whose text column wraps. A row that is another's deeds is no cause: what is cut are rows. */
export function causeTable(report: Report, most: number, {width, color}: TextOptions): string[] {
  const {causes} = report;
  const shown = causes.slice(0, most === 0 ? causes.length : most);
  if (shown.length === 0) return [];
  const cells = shown.map((cause) => ({
    id: cause.id,
    counts: [number(cause.findings), number(cause.pages), number(cause.sure)],
    worst: far(cause.worst),
    key: cause.worst.key,
  }));
  const heads = ['found', 'pages', 'sure'];
  const widths = heads.map((head, at) => Math.max(head.length, ...cells.map(({counts}) => counts[at]!.length)));
  const id = Math.max(...cells.map((cell) => cell.id.length));
  const worst = Math.max(5, ...cells.map((cell) => cell.worst.length));
  const key = Math.max(3, ...cells.map((cell) => cell.key.length));
  const left = id + widths.reduce((sum, one) => sum + 2 + one, 0) + 2;
  const longest = Math.max(...shown.flatMap((cause) => [title(cause), ...about(cause)].map((text) => text.length)));
  const left_over = width - left - 2 - worst - 2 - key;
  if (left_over < Math.min(longest, ROOM_LEAST)) return causeList(shown, causes.length - shown.length, width, color);
  const room = Math.min(longest, left_over);
  const row = (name: string, counts: string[], what: string, far: string, of: string): string =>
    `${name.padEnd(id)}${counts.map((count, at) => `  ${count.padStart(widths[at]!)}`).join('')}  ${what.padEnd(room)}  ${far.padStart(worst)}  ${of}`.trimEnd();
  const out = [row('', heads, 'what', 'worst', 'key')];
  shown.forEach((cause, at) => {
    const [first = '', ...rest] = [title(cause), ...about(cause)].flatMap((text) => wrap(text, room));
    const {counts, worst: distance, key: of} = cells[at]!;
    const line = row(cause.id, counts, first, distance, of);
    out.push(color.severity(cause.severity, cause.id) + line.slice(cause.id.length));
    for (const more of rest) out.push(`${' '.repeat(left)}${more}`.trimEnd());
  });
  const hidden = causes.length - shown.length;
  if (hidden > 0) out.push(cutText(hidden, 'row'));
  return out;
}

/** Columns for the text of a cause, below which the table is a list. */
const ROOM_LEAST = 22;

/** The causes where a table has no room: each a title, who, and its figures. */
function causeList(causes: readonly Cause[], hidden: number, width: number, color: Paint): string[] {
  const indent = Math.max(...causes.map(({id}) => id.length)) + 2;
  const out = causes.flatMap((cause) => {
    const {id, severity, findings, pages, sure, worst} = cause;
    const distance = far(worst) === '' ? '' : `, worst ${far(worst)}`;
    const figures = `${number(findings)} found, ${counted(pages, 'page')}, ${number(sure)} sure${distance}`;
    const rest = ' '.repeat(indent);
    const [first = '', ...more] = wrap(title(cause), width, rest, id.padEnd(indent));
    return [
      color.severity(severity, first.slice(0, id.length)) + first.slice(id.length),
      ...more,
      ...[...about(cause), figures, `key ${worst.key}`].flatMap((text) => wrap(text, width, rest, rest)),
    ];
  });
  return hidden > 0 ? [...out, cutText(hidden, 'row')] : out;
}

/** A distance in words; nothing where there is none, for 0 ns is no distance. */
function far({distance_ns}: {distance_ns: string | null}): string {
  return distance_ns === null || distance_ns === '0' ? '' : duration(distance_ns);
}

function title(cause: Cause): string {
  return printable(`${cause.severity === 'error' ? '' : `${cause.severity} `}${causeTitle(cause)}`);
}

/** Who, and when. */
function about(cause: Cause): string[] {
  return [printable(causeWho(cause)), causeWhen(cause)].filter((text) => text !== '');
}

/** `C1  error unpin-while-dma, sure                 3f9a1c02, one of 30` */
export function findingHead(cause: Cause | undefined, finding: Finding, {width, color}: TextOptions): string[] {
  const verdict = finding.verdict === 'sure' ? 'sure' : 'only possible';
  const left = `${finding.cause}  ${finding.severity} ${finding.rule}, ${verdict}`;
  const right = `${finding.key}, ${oneOf(cause?.findings ?? 1)}`;
  const gap = Math.min(width, HEAD_WIDTH) - left.length - right.length;
  return gap < 2 ? [color.strong(left), `  ${right}`] : [`${color.strong(left)}${' '.repeat(gap)}${right}`];
}

/** `--by deed`: every finding a row. */
export function deedTable(report: Report, most: number, options: TextOptions): string[] {
  const {findings} = report;
  const shown = findings.slice(0, most === 0 ? findings.length : most);
  const rows = shown.map((finding) => [
    finding.cause,
    `${finding.severity}${finding.verdict === 'possible' ? '?' : ''}`,
    finding.rule,
    number(frames(finding.pages)),
    time(finding.at_ns ?? finding.start_ns, finding.at_ticks ?? finding.start_ticks),
    far(finding),
    finding.key,
    // the sentence names its pages itself
    options.whole || options.width >= 110 ? printable(finding.message) : pageList(finding.pages, 1),
  ]);
  const heads = [
    '',
    'severity',
    'rule',
    'pages',
    'at',
    'apart',
    'key',
    options.whole || options.width >= 110 ? 'what' : 'first page',
  ];
  return listed(heads, rows, new Set([3, 5]), findings.length - shown.length, 'finding', options);
}

/** `--by page|task|file`. */
export function groupTable({by, rows}: ReportGroups, most: number, options: TextOptions): string[] {
  const shown = rows.slice(0, most === 0 ? rows.length : most);
  const cells = shown.map(({name, findings, sure, by_rule, worst}) => [
    printable(name),
    number(findings),
    number(sure),
    far(worst),
    worst.key,
    Object.entries(by_rule)
      .map(([rule, count]) => `${number(count)} ${rule}`)
      .join(', '),
  ]);
  return listed(
    [by, 'found', 'sure', 'worst', 'key', 'rules'],
    cells,
    new Set([1, 2, 3]),
    rows.length - shown.length,
    by,
    options,
  );
}

/** Rows as wide as they are; the last column is cut to the terminal. */
function listed(
  heads: string[],
  rows: string[][],
  right: ReadonlySet<number>,
  hidden: number,
  what: string,
  {width, whole}: TextOptions,
): string[] {
  const widths = heads.map((head, at) => rows.reduce((widest, row) => Math.max(widest, row[at]!.length), head.length));
  const line = (cells: string[]): string => {
    const text = cells
      .map((cell, at) =>
        right.has(at) ? cell.padStart(widths[at]!) : at === cells.length - 1 ? cell : cell.padEnd(widths[at]!),
      )
      .join('  ');
    return whole ? text : clip(text, width);
  };
  const possible = rows.some((row) => row[1]?.endsWith('?') === true);
  return [
    line(heads),
    ...rows.map(line),
    ...(possible ? ['(? only possible: what the trace lacks could explain it away)'] : []),
    ...(hidden > 0 ? [cutText(hidden, what)] : []),
  ];
}

/** Rules that were not judged, or only in part: a line for each thing that the trace does not show. */
export function notJudgedLines(report: Report, width: number): string[] {
  const lacks = lacksOf(report);
  if (lacks.length === 0) return [];
  return [
    'Not judged, or only in part, for lack of',
    ...lacks.flatMap((lack) => wrap(printable(lackText(lack)), width, '      ', '  ')),
  ];
}
